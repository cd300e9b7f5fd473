-- Different users, from the rows.
SELECT count(DISTINCT user_key) AS users
FROM events
WHERE tenant = {tenant:String} AND timestamp >= {start:Int64} AND timestamp < {end:Int64}
