-- Delete the sessions in which users that are erased took part from sessions_elsewhere, to be noted again.
DELETE FROM sessions_elsewhere
WHERE tenant = {tenant:String}
    AND session_key IN (
        SELECT session_key
        FROM events
        WHERE tenant = {tenant:String}
            AND user_key IN {user_keys:Array(UInt64)} AND user_id IN {users:Array(String)}
    )
