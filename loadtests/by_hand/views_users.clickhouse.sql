-- The ten most active users by the quarters, their last event and their types by the projection
-- of events: right for ranges of whole quarters of an hour only, and without an order among equals.
SELECT
    any(user_id) AS name,
    count() AS total,
    max(timestamp) AS last_at,
    groupUniqArray(event_type) AS types
FROM events
WHERE tenant = {tenant:String} AND timestamp >= {start:Int64} AND timestamp < {end:Int64}
    AND user_key IN (
        SELECT user_key
        FROM users_by_quarter
        WHERE tenant = {tenant:String} AND quarter >= {start:Int64} AND quarter < {end:Int64}
        GROUP BY user_key
        ORDER BY sum(events) DESC
        LIMIT 10
    )
GROUP BY user_key
ORDER BY total DESC
