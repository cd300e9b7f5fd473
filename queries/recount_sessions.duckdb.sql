-- Give the sessions in which others took part beside users that are erased their home again.
INSERT INTO sessions
SELECT tenant, session_key, min(bucketOf(timestamp, 900000))
FROM events
WHERE tenant = {tenant:String}
    AND session_key IN (
        SELECT session_key
        FROM events
        WHERE tenant = {tenant:String}
            AND user_key IN {user_keys:Array(UInt64)} AND user_id IN {users:Array(String)}
    )
    AND NOT (user_key IN {user_keys:Array(UInt64)} AND user_id IN {users:Array(String)})
    AND position <= (SELECT position FROM rolled)
GROUP BY tenant, session_key
