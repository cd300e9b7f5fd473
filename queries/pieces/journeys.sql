-- What users do one after the other: docs/decisions/0017-journeys-from-joins.md.

-- somebody: Events that name a user.
(user_key <> 0)

-- before: Events before a moment.
(timestamp < {edge:Int64})

-- runs: How far each user got, and when he took the steps: his deepest run, of equally deep ones the first.
WITH told AS MATERIALIZED (<facts>), <links>
SELECT <keys>, max(depth) AS steps, argMax(timestamp, score) AS moment1, <moments>
FROM (
    SELECT *, depth * 1125899906842624 - timestamp AS score
    FROM (
        SELECT <keys>, timestamp, <later>, greatest(1, <withins>) AS depth
        FROM link1
    ) AS measured
) AS scored
GROUP BY <keys>

-- last_link: When the last step was taken.
{link:Identifier} AS (SELECT who, timestamp, 1 AS reach FROM told WHERE {step:Identifier})

-- link: When a step was taken, and when those after it were taken next.
{link:Identifier} AS (
    SELECT <columns>, 1 + coalesce(later.reach, 0) AS reach
    FROM (SELECT <kept> FROM told WHERE {step:Identifier}) AS here
    ASOF LEFT JOIN {next:Identifier} AS later
    ON here.who = later.who AND here.timestamp < later.timestamp
)

-- of: A column of one side of a join.
{side:Identifier}.{found:Identifier} AS {called:Identifier}

-- within: The number of a step that was reached within the window, otherwise 0.
CASE WHEN reach >= {step:Int64} AND {at:Identifier} <= timestamp + {window:Int64} THEN {step:Int64} ELSE 0 END

-- moment: When a step of the run that counts was taken.
argMax({at:Identifier}, score) AS {moment:Identifier}

-- reached: How many users took this step.
CAST(count(CASE WHEN steps >= {step:Int64} THEN 1 END) AS BIGINT)

-- seconds: How long it took from one step to a later one, of users who took it.
CASE WHEN steps >= {step:Int64} THEN ({until:Identifier} - {since:Identifier}) / 1e3 END

-- session_or_user: The session that an event names, otherwise the user.
CASE WHEN session_key <> 0 THEN session_key ELSE user_key END

-- in_session: Events that name a session.
(session_key <> 0)

-- patience: How far one event of a session may be from the next, in ms.
{gap:Int64}

-- patience_by_id: The same; events that name their session may be any time apart.
CASE WHEN named THEN 4000000000000000 ELSE {gap:Int64} END

-- sessions: A row for each session. What is beyond the first and the last event is farther than any patience.
SELECT <kept>, <user> AS user_key, CASE WHEN ends THEN 0 ELSE last_at - timestamp END AS lasted,
    CASE WHEN ends THEN 1 ELSE last_number - number + 1 END AS events
FROM (
    SELECT *, since > <patience> AS begins, until > <patience> AS ends,
        lead(timestamp) OVER following AS last_at, lead(number) OVER following AS last_number
    FROM (
        SELECT *, row_number() OVER ordered AS number,
            timestamp - lag(timestamp, 1, -9000000000000000) OVER ordered AS since,
            lead(timestamp, 1, 9000000000000000) OVER ordered - timestamp AS until
        FROM (<facts>) AS told
        WINDOW ordered AS (PARTITION BY who ORDER BY <order>)
    ) AS numbered
    WHERE since > <patience> OR until > <patience>
    WINDOW following AS (PARTITION BY who ORDER BY number)
) AS edges
WHERE begins

-- bounces: How many sessions have one event.
CAST(count(CASE WHEN events = 1 THEN 1 END) AS BIGINT)

-- total: The sum of whole numbers.
CAST(coalesce(sum(<of>), 0) AS BIGINT)
