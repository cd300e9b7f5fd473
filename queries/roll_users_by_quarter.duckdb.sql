-- Add the rows of one step to users_by_quarter.
INSERT INTO users_by_quarter
SELECT 0, tenant, quarter, user_key, count(*)
FROM (
    SELECT tenant, bucketOf(timestamp, 900000) AS quarter, user_key
    FROM events
    WHERE position > {rolled:UInt64} AND position <= {upto:UInt64}
) AS step
GROUP BY tenant, quarter, user_key
