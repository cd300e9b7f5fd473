-- Every version of every part of one customer, the latest first.
SELECT part, told_at, received_at, document
FROM customers
WHERE tenant = {tenant:String} AND user_id = {user_id:String}
ORDER BY told_at DESC, position DESC, ordinal DESC
LIMIT {limit:UInt32}
