-- Delete what is counted for the minutes in which users that are erased did something, to be counted
-- again without them. On a cluster each shard has all events of a tenant.
DELETE FROM events_by_minute
WHERE tenant = {tenant:String}
    AND minute IN (
        SELECT timestamp - ((timestamp % 60000) + 60000) % 60000
        FROM events
        WHERE tenant = {tenant:String}
            AND user_key IN {user_keys:Array(UInt64)} AND user_id IN {users:Array(String)}
    )
SETTINGS allow_nondeterministic_mutations = 1
