-- How many events there are in one part of them, and how many different ids of a tenant.
SELECT
    CAST(coalesce(sum(times), 0) AS BIGINT) AS expected,
    count(*) AS found,
    count(*) FILTER (WHERE times > 1) AS differing
FROM (
    SELECT count(*) AS times
    FROM events
    WHERE cityHash64(event_id) % {parts:UInt64} = {part:UInt64}
    GROUP BY tenant, event_id
) AS ids
