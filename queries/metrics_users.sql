-- How many different users, and the most active ones with what they did: one row for each of their
-- event types. Counted from the whole quarters and days, from the rows at the edges and from
-- those beyond the rolled position; users of equal activity in the order of their ids.
WITH counted AS (
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
        SELECT user_key, 1 AS events
        FROM events
        WHERE tenant = {tenant:String}
            AND timestamp >= {left_from:Int64} AND timestamp < {left_to:Int64}
            AND position <= (SELECT position FROM rolled)
            AND ({event_type:String} = '' OR event_type = {event_type:String})
            AND ({user_id:String} = '' OR positionUTF8(user_id, {user_id:String}) > 0)
        UNION ALL
        SELECT user_key, 1 AS events
        FROM events
        WHERE tenant = {tenant:String}
            AND timestamp >= {right_from:Int64} AND timestamp < {right_to:Int64}
            AND position <= (SELECT position FROM rolled)
            AND ({event_type:String} = '' OR event_type = {event_type:String})
            AND ({user_id:String} = '' OR positionUTF8(user_id, {user_id:String}) > 0)
        UNION ALL
        SELECT user_key, 1 AS events
        FROM events
        WHERE tenant = {tenant:String}
            AND timestamp >= {start:Int64} AND timestamp < {end:Int64}
            AND position > {tail_from:UInt64} AND position > (SELECT position FROM rolled)
            AND ({event_type:String} = '' OR event_type = {event_type:String})
            AND ({user_id:String} = '' OR positionUTF8(user_id, {user_id:String}) > 0)
    ) AS parts
    GROUP BY user_key
),
contenders AS (
    SELECT user_key, events
    FROM counted
    WHERE events >= (
        SELECT min(events)
        FROM (SELECT events FROM counted ORDER BY events DESC LIMIT {limit:UInt32}) AS best
    )
),
top AS (
    SELECT contenders.user_key, any_value(names.user_id) AS user_id, contenders.events
    FROM (
        SELECT user_key, user_id
        FROM users
        WHERE tenant = {tenant:String}
        UNION ALL
        SELECT user_key, user_id
        FROM events
        WHERE tenant = {tenant:String}
            AND timestamp >= {start:Int64} AND timestamp < {end:Int64}
            AND position > {tail_from:UInt64} AND position > (SELECT position FROM rolled)
    ) AS names
    JOIN contenders ON contenders.user_key = names.user_key
    GROUP BY contenders.user_key, contenders.events
    ORDER BY events DESC, user_id
    LIMIT {limit:UInt32}
),
types AS (
    SELECT top.user_key, events.event_type, count(*) AS of_type, max(events.timestamp) AS last_at
    FROM events
    JOIN top ON top.user_key = events.user_key
    WHERE events.tenant = {tenant:String}
        AND events.timestamp >= {start:Int64} AND events.timestamp < {end:Int64}
        AND ({event_type:String} = '' OR events.event_type = {event_type:String})
    GROUP BY top.user_key, events.event_type
)
SELECT
    (SELECT count(*) FROM counted) AS users,
    top.user_id,
    top.events,
    types.event_type,
    types.of_type,
    types.last_at
FROM top
JOIN types ON types.user_key = top.user_key
