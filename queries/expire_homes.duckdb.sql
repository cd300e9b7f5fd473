-- Give sessions that lose their home, and were seen later too, the first of those quarters for one.
UPDATE sessions
SET home = later.home
FROM (
    SELECT tenant, session_key, min(quarter) AS home
    FROM sessions_elsewhere
    WHERE tenant IN {tenants:Array(String)} AND home < {before:Int64}
    GROUP BY tenant, session_key
) AS later
WHERE sessions.session_key = later.session_key
    AND sessions.tenant = later.tenant
    AND sessions.home < {before:Int64}
