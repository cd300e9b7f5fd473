-- Merge the partials of one level of users_by_day into one of the next, in order of time.
INSERT INTO users_by_day
SELECT {level:UInt8} + 1, tenant, day, user_key, CAST(sum(events) AS BIGINT)
FROM users_by_day
WHERE level = {level:UInt8}
GROUP BY tenant, day, user_key
ORDER BY tenant, day
