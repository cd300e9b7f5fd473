-- Delete the events of some users.
DELETE FROM events
WHERE tenant = {tenant:String}
    AND user_key IN {user_keys:Array(UInt64)} AND user_id IN {users:Array(String)}
