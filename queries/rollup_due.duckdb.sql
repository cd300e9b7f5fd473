-- The lowest level that has enough partials to be merged.
SELECT level
FROM (SELECT level, count(*) AS partials FROM rollup_partials GROUP BY level) AS levels
WHERE partials >= {enough:Int64}
ORDER BY level
LIMIT 1
