-- The ten most active users, their last event and their types, from the rows.
SELECT
    any(user_id) AS name,
    count() AS events,
    max(timestamp) AS last_at,
    groupUniqArray(event_type) AS types
FROM events
WHERE tenant = {tenant:String} AND timestamp >= {start:Int64} AND timestamp < {end:Int64}
GROUP BY user_key
ORDER BY events DESC
LIMIT 10
