-- How many rows lie beyond the end in a bucket that was taken whole.
SELECT count(*) AS events
FROM events
WHERE tenant = {tenant:String}
    AND timestamp >= {end:Int64} AND timestamp < {beyond:Int64}
