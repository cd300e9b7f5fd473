-- The events after one position and up to another, as they are stored, in stream order.
SELECT
    position, ordinal, tenant, event_id, event_key, event_type, user_id, user_key, session_id,
    session_key, source, timestamp, received_at, priority, metadata, payload,
    CAST(to_json(numbers) AS VARCHAR) AS numbers
FROM events
WHERE position > {after:UInt64} AND position <= {until:UInt64}
    AND ({tenant:String} = '' OR tenant = {tenant:String}) AND tenant <> {apart:String}
    AND timestamp >= {start:Int64} AND timestamp < {end:Int64}
ORDER BY position, ordinal
