-- In how many quarters sessions were seen between two moments, by sessions and
-- sessions_elsewhere beside the rows, and how many of these pairs differ.
SELECT
    CAST(coalesce(sum(seen), 0) AS BIGINT) AS expected,
    CAST(coalesce(sum(noted), 0) AS BIGINT) AS found,
    count(*) FILTER (WHERE seen <> noted) AS differing
FROM (
    SELECT max(raw) AS seen, sum(noted) AS noted
    FROM (
        SELECT tenant, bucketOf(timestamp, 900000) AS quarter, session_key, 1 AS raw, 0 AS noted
        FROM events
        WHERE timestamp >= {start:Int64} AND timestamp < {end:Int64}
            AND position <= (SELECT position FROM rolled)
        UNION ALL
        SELECT tenant, home AS quarter, session_key, 0 AS raw, 1 AS noted
        FROM sessions
        WHERE home >= {start:Int64} AND home < {end:Int64}
        UNION ALL
        SELECT tenant, quarter, session_key, 0 AS raw, 1 AS noted
        FROM sessions_elsewhere
        WHERE quarter >= {start:Int64} AND quarter < {end:Int64}
    ) AS both_sides
    GROUP BY tenant, quarter, session_key
) AS pairs
