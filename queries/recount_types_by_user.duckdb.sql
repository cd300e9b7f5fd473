-- Count again in types_by_user what others did who share a digest with a user that is erased.
INSERT INTO types_by_user
SELECT 0, tenant, bucketOf(timestamp, 900000), user_key, event_type, count(*), max(timestamp)
FROM events
WHERE tenant = {tenant:String}
    AND user_key IN {user_keys:Array(UInt64)} AND NOT user_id IN {users:Array(String)}
    AND position <= (SELECT position FROM rolled)
GROUP BY tenant, bucketOf(timestamp, 900000), user_key, event_type
