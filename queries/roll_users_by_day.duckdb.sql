-- Add the rows of one step to users_by_day.
INSERT INTO users_by_day
SELECT 0, tenant, day, user_key, count(*)
FROM (
    SELECT tenant, bucketOf(timestamp, 86400000) AS day, user_key
    FROM events
    WHERE position > {rolled:UInt64} AND position <= {upto:UInt64}
) AS step
GROUP BY tenant, day, user_key
