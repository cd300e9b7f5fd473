-- How many different sessions: those of the whole quarters and those of the rows at the edges. The
-- key of none is 0.
SELECT count(DISTINCT session_key) AS sessions
FROM (
    SELECT session_key
    FROM sessions_by_quarter
    WHERE tenant = {tenant:String}
        AND quarter >= {whole_from:Int64} AND quarter < {whole_to:Int64}
    UNION ALL
    SELECT session_key
    FROM events
    WHERE tenant = {tenant:String}
        AND (timestamp >= {left_from:Int64} AND timestamp < {left_to:Int64}
            OR timestamp >= {right_from:Int64} AND timestamp < {right_to:Int64})
        AND ({event_type:String} = '' OR event_type = {event_type:String})
        AND ({user_id:String} = '' OR positionUTF8(user_id, {user_id:String}) > 0)
) AS seen
WHERE session_key <> 0
