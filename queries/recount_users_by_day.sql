-- Count again in users_by_day what others did who share a digest with a user that is erased.
INSERT INTO users_by_day
SELECT
    tenant,
    timestamp - ((timestamp % 86400000) + 86400000) % 86400000 AS day,
    user_key,
    toInt64(count()) AS events
FROM events
WHERE tenant = {tenant:String}
    AND user_key IN {user_keys:Array(UInt64)} AND NOT user_id IN {users:Array(String)}
GROUP BY tenant, day, user_key
SETTINGS insert_deduplicate = 0, distributed_foreground_insert = 1
