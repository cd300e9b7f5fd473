-- The minutes in which users that are to be erased did something: their counts change.
SELECT DISTINCT timestamp - ((timestamp % 60000) + 60000) % 60000 AS minute
FROM events
WHERE tenant = {tenant:String}
    AND user_key IN {user_keys:Array(UInt64)} AND user_id IN {users:Array(String)}
ORDER BY minute
