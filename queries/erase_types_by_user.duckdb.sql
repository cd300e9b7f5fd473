-- Delete what types_by_user counts for the digests of some users.
DELETE FROM types_by_user
WHERE tenant = {tenant:String} AND user_key IN {user_keys:Array(UInt64)}
