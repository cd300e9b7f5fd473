-- Take the rolled up events of users that are erased off the counts: one more partial, below zero.
INSERT INTO events_by_minute
SELECT 0, tenant, bucketOf(timestamp, 60000), event_type, -count(*)
FROM events
WHERE tenant = {tenant:String}
    AND user_key IN {user_keys:Array(UInt64)} AND user_id IN {users:Array(String)}
    AND position <= (SELECT position FROM rolled)
GROUP BY tenant, bucketOf(timestamp, 60000), event_type
