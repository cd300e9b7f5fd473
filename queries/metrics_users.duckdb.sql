-- How many different users, and what the most active ones did: one row for each of their event
-- types. They are counted from the whole quarters and days, from the rows at the edges and from
-- those beyond the rolled position; what the contenders did is read from the quarters and those
-- rows, and their names from the rows of their last moments. Users of equal activity stand in the
-- order of their ids. The key of nobody is 0.
WITH raw AS MATERIALIZED (
    SELECT user_key, event_type, count(*) AS events, max(timestamp) AS last_at
    FROM (
        SELECT user_key, event_type, timestamp
        FROM events
        WHERE tenant = {tenant:String}
            AND timestamp >= {left_from:Int64} AND timestamp < {left_to:Int64}
            AND position <= {rolled:UInt64}
            AND ({event_type:String} = '' OR event_type = {event_type:String})
            AND ({user_id:String} = '' OR positionUTF8(user_id, {user_id:String}) > 0)
        UNION ALL
        SELECT user_key, event_type, timestamp
        FROM events
        WHERE tenant = {tenant:String}
            AND timestamp >= {right_from:Int64} AND timestamp < {right_to:Int64}
            AND position <= {rolled:UInt64}
            AND ({event_type:String} = '' OR event_type = {event_type:String})
            AND ({user_id:String} = '' OR positionUTF8(user_id, {user_id:String}) > 0)
        UNION ALL
        SELECT user_key, event_type, timestamp
        FROM events
        WHERE tenant = {tenant:String}
            AND timestamp >= {start:Int64} AND timestamp < {end:Int64}
            AND position > {rolled:UInt64}
            AND ({event_type:String} = '' OR event_type = {event_type:String})
            AND ({user_id:String} = '' OR positionUTF8(user_id, {user_id:String}) > 0)
    ) AS rest
    GROUP BY user_key, event_type
),
counted AS MATERIALIZED (
    SELECT user_key, CAST(sum(events) AS BIGINT) AS events
    FROM (
        SELECT user_key, events
        FROM users_by_quarter
        WHERE tenant = {tenant:String}
            AND quarter >= {whole_from:Int64} AND quarter < {days_from:Int64}
        UNION ALL
        SELECT user_key, events
        FROM users_by_day
        WHERE tenant = {tenant:String}
            AND day >= {days_from:Int64} AND day < {days_to:Int64}
        UNION ALL
        SELECT user_key, events
        FROM users_by_quarter
        WHERE tenant = {tenant:String}
            AND quarter >= {days_to:Int64} AND quarter < {whole_to:Int64}
        UNION ALL
        SELECT user_key, events FROM raw
    ) AS parts
    WHERE user_key <> 0
    GROUP BY user_key
),
contenders AS MATERIALIZED (
    SELECT user_key
    FROM counted
    WHERE events >= (
        SELECT min(events)
        FROM (SELECT events FROM counted ORDER BY events DESC LIMIT {limit:UInt32}) AS best
    )
),
types AS MATERIALIZED (
    SELECT user_key, event_type, CAST(sum(events) AS BIGINT) AS of_type, max(last_at) AS last_at
    FROM (
        SELECT user_key, event_type, events, last_at
        FROM types_by_user
        WHERE tenant = {tenant:String}
            AND quarter >= {whole_from:Int64} AND quarter < {whole_to:Int64}
            AND user_key IN (SELECT user_key FROM contenders)
        UNION ALL
        SELECT user_key, event_type, events, last_at
        FROM raw
        WHERE user_key IN (SELECT user_key FROM contenders)
    ) AS parts
    GROUP BY user_key, event_type
),
top AS (
    SELECT last.user_key, min(events.user_id) AS user_id
    FROM (
        SELECT user_key, sum(of_type) AS active, max(last_at) AS last_at
        FROM types
        GROUP BY user_key
    ) AS last
    JOIN events ON events.timestamp = last.last_at AND events.user_key = last.user_key
    WHERE events.tenant = {tenant:String}
    GROUP BY last.user_key, last.active
    ORDER BY last.active DESC, user_id
    LIMIT {limit:UInt32}
)
SELECT
    (SELECT count(*) FROM counted) AS users,
    top.user_id,
    types.event_type,
    types.of_type,
    types.last_at
FROM types
JOIN top ON top.user_key = types.user_key
