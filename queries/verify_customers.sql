-- How many events between two moments tell of customers, how many of them are kept among the
-- customers, and how many are not.
SELECT
    CAST(coalesce(sum(told), 0) AS BIGINT) AS expected,
    CAST(coalesce(sum(least(told, kept)), 0) AS BIGINT) AS found,
    count(*) FILTER (WHERE told > 0 AND told <> kept) AS differing
FROM (
    SELECT position, ordinal, sum(one) AS told, sum(other) AS kept
    FROM (
        SELECT position, ordinal, 1 AS one, 0 AS other
        FROM events
        WHERE timestamp >= {start:Int64} AND timestamp < {end:Int64}
            AND event_type IN ('customer.profile', 'customer.attributes')
        UNION ALL
        SELECT position, ordinal, 0 AS one, 1 AS other
        FROM customers
        WHERE told_at >= {start:Int64} AND told_at < {end:Int64}
    ) AS both_sides
    GROUP BY position, ordinal
) AS places
