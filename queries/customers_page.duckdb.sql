-- The next customers after a user id, each with the latest version of its profile, of those whose
-- profile has these values in these fields.
SELECT user_id, told_at, received_at, document
FROM (
    SELECT
        user_id,
        told_at,
        received_at,
        document,
        row_number() OVER (
            PARTITION BY user_id ORDER BY told_at DESC, position DESC, ordinal DESC
        ) AS version
    FROM customers
    WHERE tenant = {tenant:String} AND user_id > {after_user:String} AND part = ''
) AS versions
WHERE version = 1
    AND list_bool_and(list_prepend(true, list_transform(
        range(len({names:Array(String)})),
        lambda n: coalesce(
            document ->> concat('/', replace(replace({names:Array(String)}[n + 1], '~', '~0'), '/', '~1')) = {wanted:Array(String)}[n + 1],
            false
        )
    )))
ORDER BY user_id
LIMIT {limit:UInt32}
