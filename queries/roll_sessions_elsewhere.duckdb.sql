-- Note the quarters in which a step's sessions were seen away from home; they all have one by now.
INSERT INTO sessions_elsewhere
SELECT away.tenant, away.session_key, away.home, away.quarter
FROM (
    SELECT step.tenant, step.session_key, sessions.home, step.quarter
    FROM (
        SELECT DISTINCT tenant, session_key, bucketOf(timestamp, 900000) AS quarter
        FROM events
        WHERE position > {rolled:UInt64} AND position <= {upto:UInt64}
    ) AS step
    JOIN sessions
        ON sessions.session_key = step.session_key AND sessions.tenant = step.tenant
    WHERE sessions.home <> step.quarter
) AS away
ANTI JOIN sessions_elsewhere AS known
    ON known.session_key = away.session_key
    AND known.tenant = away.tenant
    AND known.quarter = away.quarter
