-- Delete what users_by_quarter counts for the digests of some users.
DELETE FROM users_by_quarter
WHERE tenant = {tenant:String} AND user_key IN {user_keys:Array(UInt64)}
