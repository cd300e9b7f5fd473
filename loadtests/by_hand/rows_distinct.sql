-- Different users and sessions, from the rows.
SELECT count(DISTINCT user_key) AS users, count(DISTINCT session_key) AS sessions
FROM events
WHERE tenant = {tenant:String} AND timestamp >= {start:Int64} AND timestamp < {end:Int64}
