-- The end of the next step: the last position among the first {most} rows beyond the rolled
-- ones, and how many rows it takes in. A position's rows stay together.
SELECT max(position) AS position, CAST(sum(events) AS BIGINT) AS events
FROM (
    SELECT position, events, sum(events) OVER (ORDER BY position) AS running
    FROM (
        SELECT position, count(*) AS events
        FROM events
        WHERE position > {rolled:UInt64}
        GROUP BY position
    ) AS sizes
) AS sums
WHERE running - events < {most:Int64}
HAVING count(*) > 0
