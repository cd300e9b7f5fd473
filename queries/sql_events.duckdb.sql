-- The events of a tenant as users of SQL see them. Nothing of what users write is computed on any
-- other row: the engine pushes no condition through a limit (docs/decisions/0018).
SELECT
    event_id,
    event_type,
    nullif(user_id, '') AS user_id,
    nullif(session_id, '') AS session_id,
    nullif(source, '') AS source,
    make_timestamp_ms(timestamp) AS timestamp,
    make_timestamp_ms(received_at) AS received_at,
    CAST(priority AS INTEGER) AS priority,
    payload,
    metadata
FROM events
WHERE tenant = {tenant:String}
    AND events.timestamp >= {sql_from:Int64} AND events.timestamp < {sql_to:Int64}
LIMIT 9223372036854775807
