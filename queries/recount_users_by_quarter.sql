-- Count again in users_by_quarter what others did who share a digest with a user that is erased.
INSERT INTO users_by_quarter
SELECT
    tenant,
    timestamp - ((timestamp % 900000) + 900000) % 900000 AS quarter,
    user_key,
    toInt64(count()) AS events
FROM events
WHERE tenant = {tenant:String}
    AND user_key IN {user_keys:Array(UInt64)} AND NOT user_id IN {users:Array(String)}
GROUP BY tenant, quarter, user_key
SETTINGS insert_deduplicate = 0, distributed_foreground_insert = 1
