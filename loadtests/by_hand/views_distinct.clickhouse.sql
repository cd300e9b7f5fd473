-- Different users and sessions, from the quarters: right for ranges of whole quarters only.
SELECT
    (
        SELECT count(DISTINCT user_key)
        FROM users_by_quarter
        WHERE tenant = {tenant:String} AND quarter >= {start:Int64} AND quarter < {end:Int64}
    ) AS users,
    (
        SELECT count(DISTINCT session_key)
        FROM sessions_by_quarter
        WHERE tenant = {tenant:String} AND quarter >= {start:Int64} AND quarter < {end:Int64}
    ) AS sessions
