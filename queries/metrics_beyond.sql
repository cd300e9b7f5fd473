-- How many rolled up rows lie in the last bucket, which is taken whole, but beyond the end.
SELECT count(*) AS events
FROM events
WHERE tenant = {tenant:String}
    AND timestamp >= {end:Int64} AND timestamp < {whole_to:Int64}
    AND position <= (SELECT position FROM rolled)
