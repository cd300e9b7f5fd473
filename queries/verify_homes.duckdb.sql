-- How many sessions of one part of them there are, how many homes they have together, and how
-- many have not one home, the one that was noted with all their quarters elsewhere.
SELECT
    count(*) AS expected,
    CAST(coalesce(sum(homes), 0) AS BIGINT) AS found,
    count(*) FILTER (WHERE homes <> 1 OR first_home <> last_home) AS differing
FROM (
    SELECT sum(own) AS homes, min(home) AS first_home, max(home) AS last_home
    FROM (
        SELECT tenant, session_key, home, 1 AS own
        FROM sessions
        WHERE session_key % {parts:UInt64} = {part:UInt64}
        UNION ALL
        SELECT tenant, session_key, home, 0 AS own
        FROM sessions_elsewhere
        WHERE session_key % {parts:UInt64} = {part:UInt64}
    ) AS places
    GROUP BY tenant, session_key
) AS of_sessions
