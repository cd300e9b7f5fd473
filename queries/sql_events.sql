-- The events of a tenant as users of SQL see them.
SELECT
    event_id,
    event_type,
    nullIf(user_id, '') AS user_id,
    nullIf(session_id, '') AS session_id,
    nullIf(source, '') AS source,
    fromUnixTimestamp64Milli(events.timestamp, 'UTC') AS timestamp,
    fromUnixTimestamp64Milli(events.received_at, 'UTC') AS received_at,
    toInt32(priority) AS priority,
    payload,
    metadata
FROM events
WHERE events.tenant = {tenant:String}
    AND events.timestamp >= {sql_from:Int64} AND events.timestamp < {sql_to:Int64}
