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
    AND arrayAll(
        (name, value) -> JSONHas(document, name)
            AND (JSONExtractString(document, name) = value OR JSONExtractRaw(document, name) = value),
        {names:Array(String)},
        {wanted:Array(String)}
    )
ORDER BY user_id
LIMIT {limit:UInt32}
