-- The customers of a tenant as users of SQL see them: the latest profile of each.
SELECT
    user_id,
    arg_max(document, (told_at, position, ordinal)) AS profile,
    make_timestamp_ms(max(told_at)) AS as_of,
    make_timestamp_ms(arg_max(received_at, (told_at, position, ordinal))) AS received_at
FROM customers
WHERE tenant = {tenant:String} AND part = ''
GROUP BY user_id
LIMIT 9223372036854775807
