-- How many different sessions: those at home in the whole quarters, plus those seen there only
-- away from home, at the edges or beyond the rolled position. The key of none is 0.
WITH others AS (
    SELECT DISTINCT session_key
    FROM (
        SELECT session_key
        FROM sessions_elsewhere
        WHERE tenant = {tenant:String}
            AND quarter >= {whole_from:Int64} AND quarter < {whole_to:Int64}
            AND (home < {whole_from:Int64} OR home >= {whole_to:Int64})
        UNION ALL
        SELECT session_key
        FROM events
        WHERE tenant = {tenant:String}
            AND timestamp >= {left_from:Int64} AND timestamp < {left_to:Int64}
            AND position <= {rolled:UInt64}
            AND ({event_type:String} = '' OR event_type = {event_type:String})
            AND ({user_id:String} = '' OR positionUTF8(user_id, {user_id:String}) > 0)
        UNION ALL
        SELECT session_key
        FROM events
        WHERE tenant = {tenant:String}
            AND timestamp >= {right_from:Int64} AND timestamp < {right_to:Int64}
            AND position <= {rolled:UInt64}
            AND ({event_type:String} = '' OR event_type = {event_type:String})
            AND ({user_id:String} = '' OR positionUTF8(user_id, {user_id:String}) > 0)
        UNION ALL
        SELECT session_key
        FROM events
        WHERE tenant = {tenant:String}
            AND timestamp >= {start:Int64} AND timestamp < {end:Int64}
            AND position > {rolled:UInt64}
            AND ({event_type:String} = '' OR event_type = {event_type:String})
            AND ({user_id:String} = '' OR positionUTF8(user_id, {user_id:String}) > 0)
    ) AS seen
    WHERE session_key <> 0
)
SELECT
    (
        SELECT count(*)
        FROM sessions
        WHERE tenant = {tenant:String}
            AND home >= {whole_from:Int64} AND home < {whole_to:Int64}
            AND session_key <> 0
    ) + (
        SELECT count(*) FROM others
    ) - (
        SELECT count(*)
        FROM sessions
        WHERE tenant = {tenant:String}
            AND home >= {whole_from:Int64} AND home < {whole_to:Int64}
            AND session_key IN (SELECT session_key FROM others)
    ) AS sessions
