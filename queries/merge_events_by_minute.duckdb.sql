-- Merge the partials of one level of events_by_minute into one of the next, in order of time.
INSERT INTO events_by_minute
SELECT {level:UInt8} + 1, tenant, minute, event_type, CAST(sum(events) AS BIGINT)
FROM events_by_minute
WHERE level = {level:UInt8}
GROUP BY tenant, minute, event_type
ORDER BY tenant, minute
