-- What events_by_minute counts between two moments beside what the rows count, and how many
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
            timestamp - ((timestamp % 60000) + 60000) % 60000 AS minute,
            event_type,
            1 AS raw,
            0 AS rolled_up
        FROM events
        WHERE timestamp >= {start:Int64} AND timestamp < {end:Int64}
            AND position <= (SELECT position FROM rolled)
        UNION ALL
        SELECT tenant, minute, event_type, 0 AS raw, events AS rolled_up
        FROM events_by_minute
        WHERE minute >= {start:Int64} AND minute < {end:Int64}
    ) AS both_sides
    GROUP BY tenant, minute, event_type
) AS buckets
