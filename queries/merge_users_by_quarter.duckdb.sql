-- Merge the partials of one level of users_by_quarter into one of the next, in order of time.
INSERT INTO users_by_quarter
SELECT {level:UInt8} + 1, tenant, quarter, user_key, CAST(sum(events) AS BIGINT)
FROM users_by_quarter
WHERE level = {level:UInt8}
GROUP BY tenant, quarter, user_key
ORDER BY tenant, quarter
