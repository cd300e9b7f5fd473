-- Note again where else sessions were seen in which users that are erased took part.
INSERT INTO sessions_elsewhere
SELECT DISTINCT events.tenant, events.session_key, sessions.home, bucketOf(events.timestamp, 900000)
FROM events
JOIN sessions
    ON sessions.session_key = events.session_key AND sessions.tenant = events.tenant
WHERE events.tenant = {tenant:String}
    AND events.session_key IN (
        SELECT session_key
        FROM events
        WHERE tenant = {tenant:String}
            AND user_key IN {user_keys:Array(UInt64)} AND user_id IN {users:Array(String)}
    )
    AND NOT (user_key IN {user_keys:Array(UInt64)} AND user_id IN {users:Array(String)})
    AND position <= (SELECT position FROM rolled)
    AND bucketOf(events.timestamp, 900000) <> sessions.home
