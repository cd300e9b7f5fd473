-- What users_by_quarter counts between two moments beside what the rows count, and how many
-- buckets differ.
SELECT
    CAST(coalesce(sum(counted), 0) AS BIGINT) AS expected,
    CAST(coalesce(sum(rolled_up), 0) AS BIGINT) AS found,
    count(*) FILTER (WHERE counted <> rolled_up) AS differing
FROM (
    SELECT sum(raw) AS counted, sum(rolled_up) AS rolled_up
    FROM (
        SELECT
            tenant,
            timestamp - ((timestamp % 900000) + 900000) % 900000 AS quarter,
            user_key,
            1 AS raw,
            0 AS rolled_up
        FROM events
        WHERE timestamp >= {start:Int64} AND timestamp < {end:Int64}
            AND position <= (SELECT position FROM rolled)
        UNION ALL
        SELECT tenant, quarter, user_key, 0 AS raw, events AS rolled_up
        FROM users_by_quarter
        WHERE quarter >= {start:Int64} AND quarter < {end:Int64}
    ) AS both_sides
    GROUP BY tenant, quarter, user_key
) AS buckets
