-- What types_by_user counts between two moments beside what the rows count, and how many
-- buckets differ, in number or in their last moment.
SELECT
    CAST(coalesce(sum(counted), 0) AS BIGINT) AS expected,
    CAST(coalesce(sum(rolled_up), 0) AS BIGINT) AS found,
    count(*) FILTER (WHERE counted <> rolled_up OR last_counted IS DISTINCT FROM last_rolled_up)
        AS differing
FROM (
    SELECT
        sum(raw) AS counted,
        sum(rolled_up) AS rolled_up,
        max(last_at) FILTER (WHERE raw > 0) AS last_counted,
        max(last_at) FILTER (WHERE raw = 0) AS last_rolled_up
    FROM (
        SELECT
            tenant,
            bucketOf(timestamp, 900000) AS quarter,
            user_key,
            event_type,
            1 AS raw,
            0 AS rolled_up,
            timestamp AS last_at
        FROM events
        WHERE timestamp >= {start:Int64} AND timestamp < {end:Int64}
            AND position <= (SELECT position FROM rolled)
        UNION ALL
        SELECT tenant, quarter, user_key, event_type, 0 AS raw, events AS rolled_up, last_at
        FROM types_by_user
        WHERE quarter >= {start:Int64} AND quarter < {end:Int64}
    ) AS both_sides
    GROUP BY tenant, quarter, user_key, event_type
) AS buckets
