-- Events of each day, from the rows.
SELECT intDiv(timestamp, 86400000) AS day, count(*) AS events
FROM events
WHERE tenant = {tenant:String} AND timestamp >= {start:Int64} AND timestamp < {end:Int64}
GROUP BY day
ORDER BY day
