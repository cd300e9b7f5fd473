-- Add the rows of one step to events_by_minute.
INSERT INTO events_by_minute
SELECT 0, tenant, minute, event_type, count(*)
FROM (
    SELECT tenant, bucketOf(timestamp, 60000) AS minute, event_type
    FROM events
    WHERE position > {rolled:UInt64} AND position <= {upto:UInt64}
) AS step
GROUP BY tenant, minute, event_type
