-- Which other migrators are at work.
SELECT holder
FROM migrators
WHERE holder <> {holder:String}
GROUP BY holder
HAVING argMax(until, turn) > {now:Int64}
ORDER BY holder
