-- How many different users, and what the most active ones did: one row for each of their event
-- types. They are counted from the whole quarters and days and from the rows at the edges; what
-- the contenders did is read from their own rows. Users of equal activity stand in the order of
-- their ids.
WITH counted AS (
    SELECT user_key, toInt64(sum(n)) AS events
    FROM (
        SELECT user_key, events AS n
        FROM users_by_quarter
        WHERE tenant = {tenant:String}
            AND quarter >= {whole_from:Int64} AND quarter < {days_from:Int64}
        UNION ALL
        SELECT user_key, events AS n
        FROM users_by_day
        WHERE tenant = {tenant:String}
            AND day >= {days_from:Int64} AND day < {days_to:Int64}
        UNION ALL
        SELECT user_key, events AS n
        FROM users_by_quarter
        WHERE tenant = {tenant:String}
            AND quarter >= {days_to:Int64} AND quarter < {whole_to:Int64}
        UNION ALL
        SELECT user_key, 1 AS n
        FROM events
        WHERE tenant = {tenant:String}
            AND timestamp >= {left_from:Int64} AND timestamp < {left_to:Int64}
            AND ({event_type:String} = '' OR event_type = {event_type:String})
            AND ({user_id:String} = '' OR positionUTF8(user_id, {user_id:String}) > 0)
        UNION ALL
        SELECT user_key, 1 AS n
        FROM events
        WHERE tenant = {tenant:String}
            AND timestamp >= {right_from:Int64} AND timestamp < {right_to:Int64}
            AND ({event_type:String} = '' OR event_type = {event_type:String})
            AND ({user_id:String} = '' OR positionUTF8(user_id, {user_id:String}) > 0)
    ) AS parts
    GROUP BY user_key
)
SELECT
    (SELECT count() FROM counted) AS users,
    name AS user_id,
    did.1 AS event_type,
    did.2 AS of_type,
    did.3 AS last_at
FROM (
    SELECT any(user) AS name, sum(of_type) AS total, groupArray((event_type, of_type, last_at)) AS all_types
    FROM (
        SELECT user_key, any(user_id) AS user, event_type, count() AS of_type, max(timestamp) AS last_at
        FROM events
        WHERE tenant = {tenant:String}
            AND timestamp >= {start:Int64} AND timestamp < {end:Int64}
            AND ({event_type:String} = '' OR event_type = {event_type:String})
            AND user_key IN (SELECT user_key FROM counted ORDER BY events DESC LIMIT {limit:UInt32} WITH TIES)
        GROUP BY user_key, event_type
    ) AS types
    GROUP BY user_key
    ORDER BY total DESC, name
    LIMIT {limit:UInt32}
) AS top
ARRAY JOIN all_types AS did
