-- Add the rows of one step to types_by_user.
INSERT INTO types_by_user
SELECT 0, tenant, quarter, user_key, event_type, count(*), max(timestamp)
FROM (
    SELECT tenant, bucketOf(timestamp, 900000) AS quarter, user_key, event_type, timestamp
    FROM events
    WHERE position > {rolled:UInt64} AND position <= {upto:UInt64}
) AS step
GROUP BY tenant, quarter, user_key, event_type
