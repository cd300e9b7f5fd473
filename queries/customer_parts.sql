-- The latest version of each part of one customer: the profile first, then attributes by list.
SELECT part, told_at, received_at, document
FROM (
    SELECT
        part,
        told_at,
        received_at,
        document,
        row_number() OVER (
            PARTITION BY part ORDER BY told_at DESC, position DESC, ordinal DESC
        ) AS version
    FROM customers
    WHERE tenant = {tenant:String} AND user_id = {user_id:String}
) AS versions
WHERE version = 1
ORDER BY part
