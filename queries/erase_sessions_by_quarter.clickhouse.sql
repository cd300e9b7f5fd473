-- Delete where some sessions were seen, to be noted again without the users erased.
DELETE FROM sessions_by_quarter
WHERE tenant = {tenant:String} AND session_key IN {sessions:Array(UInt64)}
