-- How many events of a request are stored.
SELECT count(*) AS stored
FROM events
WHERE position = {position:UInt64}
    AND ordinal >= {first:UInt64} AND ordinal < {first:UInt64} + {count:UInt64}
    AND tenant = {tenant:String}
