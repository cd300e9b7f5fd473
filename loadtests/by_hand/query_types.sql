-- The ten most frequent types, from the rows.
SELECT event_type, count(*) AS events
FROM events
WHERE tenant = {tenant:String} AND timestamp >= {start:Int64} AND timestamp < {end:Int64}
GROUP BY event_type
ORDER BY events DESC
LIMIT 10
