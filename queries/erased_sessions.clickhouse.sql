-- The sessions in which users that are to be erased took part, perhaps beside others.
SELECT DISTINCT session_key
FROM events
WHERE tenant = {tenant:String}
    AND user_key IN {user_keys:Array(UInt64)} AND user_id IN {users:Array(String)}
ORDER BY session_key
