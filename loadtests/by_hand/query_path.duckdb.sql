-- Events whose payload names this referrer, from the rows.
SELECT count(*) AS events
FROM events
WHERE tenant = {tenant:String} AND timestamp >= {start:Int64} AND timestamp < {end:Int64}
    AND (payload ->> '$.referrer') = 'example.org'
