-- The latest version of each part of some customers.
SELECT user_id, part, event_id, document
FROM (
    SELECT
        user_id,
        part,
        event_id,
        document,
        row_number() OVER (
            PARTITION BY user_id, part ORDER BY told_at DESC, position DESC, ordinal DESC
        ) AS version
    FROM customers
    WHERE tenant = {tenant:String} AND has({ids:Array(String)}, user_id)
) AS versions
WHERE version = 1
