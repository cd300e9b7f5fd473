-- Give the sessions that a step brings for the first time a home.
INSERT INTO sessions
SELECT step.tenant, step.session_key, step.home
FROM (
    SELECT tenant, session_key, min(bucketOf(timestamp, 900000)) AS home
    FROM events
    WHERE position > {rolled:UInt64} AND position <= {upto:UInt64}
    GROUP BY tenant, session_key
) AS step
ANTI JOIN sessions
    ON sessions.session_key = step.session_key AND sessions.tenant = step.tenant
