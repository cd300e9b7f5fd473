-- How many different users, and what the most active ones did: one row for each of their event
-- types. They are counted from the whole quarters and days and from the rows at the edges; what
-- the contenders did is read from their own rows. Users of equal activity stand in the order of
-- their ids. The engine keeps its rollups up to the last row, so nothing is read beyond them; and
-- a WITH of rows would be counted anew wherever it is named, one of a single value is not. The key
-- of nobody is 0.
WITH (
    SELECT (max(users), groupArray(user_key))
    FROM (
        SELECT user_key, sum(n) AS events, count() OVER () AS users
        FROM (
            SELECT user_key, events AS n
            FROM users_by_quarter
            WHERE tenant = {tenant:String}
                AND (quarter >= {whole_from:Int64} AND quarter < {days_from:Int64}
                    OR quarter >= {days_to:Int64} AND quarter < {whole_to:Int64})
            UNION ALL
            SELECT user_key, events AS n
            FROM users_by_day
            WHERE tenant = {tenant:String}
                AND day >= {days_from:Int64} AND day < {days_to:Int64}
            UNION ALL
            SELECT user_key, 1 AS n
            FROM events
            WHERE tenant = {tenant:String}
                AND (timestamp >= {left_from:Int64} AND timestamp < {left_to:Int64}
                    OR timestamp >= {right_from:Int64} AND timestamp < {right_to:Int64})
                AND ({event_type:String} = '' OR event_type = {event_type:String})
                AND ({user_id:String} = '' OR positionUTF8(user_id, {user_id:String}) > 0)
        ) AS parts
        WHERE user_key <> 0
        GROUP BY user_key
        ORDER BY events DESC
        LIMIT {limit:UInt32} WITH TIES
    ) AS best
) AS found
SELECT
    found.1 AS users,
    name AS user_id,
    did.1 AS event_type,
    did.2 AS of_type,
    did.3 AS last_at
FROM (
    SELECT
        any(user) AS name,
        sum(of_type) AS events,
        groupArray((event_type, of_type, last_at)) AS types
    FROM (
        SELECT
            user_key,
            any(user_id) AS user,
            event_type,
            count() AS of_type,
            max(timestamp) AS last_at
        FROM events
        WHERE tenant = {tenant:String}
            AND timestamp >= {start:Int64} AND timestamp < {end:Int64}
            AND ({event_type:String} = '' OR event_type = {event_type:String})
            AND user_key IN (SELECT arrayJoin(found.2))
        GROUP BY user_key, event_type
    ) AS of_types
    GROUP BY user_key
    ORDER BY events DESC, name
    LIMIT {limit:UInt32}
) AS top
ARRAY JOIN types AS did
