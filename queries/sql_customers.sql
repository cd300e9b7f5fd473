-- The customers of a tenant as users of SQL see them: the latest profile of each.
SELECT
    user_id,
    document AS profile,
    fromUnixTimestamp64Milli(told_at, 'UTC') AS as_of,
    fromUnixTimestamp64Milli(customers.received_at, 'UTC') AS received_at
FROM customers
WHERE tenant = {tenant:String} AND part = ''
ORDER BY user_id, told_at DESC, position DESC, ordinal DESC
LIMIT 1 BY user_id
