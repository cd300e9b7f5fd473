-- Give the sessions that a step of {events} rows brings for the first time a home. The engine is
-- told how few they can be, and looks for those known with IN: so it passes over all others, where
-- an anti join would hash every session there is.
INSERT INTO sessions
WITH step AS MATERIALIZED (
    SELECT tenant, session_key, min(bucketOf(timestamp, 900000)) AS home
    FROM events
    WHERE position > {rolled:UInt64} AND position <= {upto:UInt64}
    GROUP BY tenant, session_key
    LIMIT {events:UInt64}
),
known AS (
    SELECT tenant, session_key
    FROM sessions
    WHERE session_key IN (SELECT session_key FROM step)
)
SELECT step.tenant, step.session_key, step.home
FROM step
ANTI JOIN known
    ON known.session_key = step.session_key AND known.tenant = step.tenant
