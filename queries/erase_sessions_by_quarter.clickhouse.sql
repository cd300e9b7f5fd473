-- Delete where the sessions were seen in which users that are erased took part, to be noted again
-- without them.
DELETE FROM sessions_by_quarter
WHERE tenant = {tenant:String}
    AND session_key IN (
        SELECT session_key
        FROM events
        WHERE tenant = {tenant:String}
            AND user_key IN {user_keys:Array(UInt64)} AND user_id IN {users:Array(String)}
    )
SETTINGS allow_nondeterministic_mutations = 1
