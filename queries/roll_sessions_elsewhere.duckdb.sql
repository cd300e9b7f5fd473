-- Note the quarters in which the sessions of a step of {events} rows were seen away from home; they
-- all have one by now. They are looked for as in roll_sessions.
INSERT INTO sessions_elsewhere
WITH step AS MATERIALIZED (
    SELECT DISTINCT tenant, session_key, bucketOf(timestamp, 900000) AS quarter
    FROM events
    WHERE position > {rolled:UInt64} AND position <= {upto:UInt64}
    LIMIT {events:UInt64}
),
homes AS (
    SELECT tenant, session_key, home
    FROM sessions
    WHERE session_key IN (SELECT session_key FROM step)
),
away AS MATERIALIZED (
    SELECT step.tenant, step.session_key, homes.home, step.quarter
    FROM step
    JOIN homes ON homes.session_key = step.session_key AND homes.tenant = step.tenant
    WHERE homes.home <> step.quarter
),
known AS (
    SELECT tenant, session_key, quarter
    FROM sessions_elsewhere
    WHERE session_key IN (SELECT session_key FROM away)
)
SELECT away.tenant, away.session_key, away.home, away.quarter
FROM away
ANTI JOIN known
    ON known.session_key = away.session_key
    AND known.tenant = away.tenant
    AND known.quarter = away.quarter
