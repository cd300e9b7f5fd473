-- Note beside the other quarters of a session the home that it was given.
UPDATE sessions_elsewhere
SET home = sessions.home
FROM sessions
WHERE sessions.session_key = sessions_elsewhere.session_key
    AND sessions.tenant = sessions_elsewhere.tenant
    AND sessions_elsewhere.tenant IN {tenants:Array(String)}
    AND sessions_elsewhere.home < {before:Int64}
