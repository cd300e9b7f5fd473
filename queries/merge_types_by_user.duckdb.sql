-- Merge the partials of one level of types_by_user into one of the next, in the order of users.
INSERT INTO types_by_user
SELECT
    {level:UInt8} + 1, tenant, quarter, user_key, event_type, CAST(sum(events) AS BIGINT),
    max(last_at)
FROM types_by_user
WHERE level = {level:UInt8}
GROUP BY tenant, quarter, user_key, event_type
ORDER BY user_key
