-- The end of the next piece to delete of what is older than a moment: whole days of about {most}
-- events, the oldest first, and how many events it has.
SELECT CAST(max(day) + 86400000 AS BIGINT) AS before, CAST(sum(events) AS BIGINT) AS events
FROM (
    SELECT day, events, sum(events) OVER (ORDER BY day) AS running
    FROM (
        SELECT bucketOf(timestamp, 86400000) AS day, count(*) AS events
        FROM events
        WHERE tenant IN {tenants:Array(String)} AND timestamp < {before:Int64}
        GROUP BY day
    ) AS days
) AS sums
WHERE running - events < {most:Int64}
HAVING count(*) > 0
