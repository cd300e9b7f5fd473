-- Count again in users_by_quarter what others did who share a digest with a user that is erased.
INSERT INTO users_by_quarter
SELECT 0, tenant, bucketOf(timestamp, 900000), user_key, count(*)
FROM events
WHERE tenant = {tenant:String}
    AND user_key IN {user_keys:Array(UInt64)} AND NOT user_id IN {users:Array(String)}
    AND position <= (SELECT position FROM rolled)
GROUP BY tenant, bucketOf(timestamp, 900000), user_key
