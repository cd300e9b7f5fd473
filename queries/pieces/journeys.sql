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

-- retention: How many began in each period, and how many of them came back in which one.
WITH told AS MATERIALIZED (
    SELECT who, bucket, min(CASE WHEN starts THEN timestamp END) AS began,
        max(CASE WHEN returns THEN timestamp END) AS latest
    FROM (<facts>) AS events_of_both
    GROUP BY who, bucket
), cohorts AS MATERIALIZED (<cohorts>)
SELECT bucket AS cohort, {all:Int64} AS period, CAST(count(*) AS BIGINT) AS users
FROM cohorts
GROUP BY cohorts.bucket
UNION ALL
SELECT begun.bucket AS cohort, CAST(later.bucket AS BIGINT) AS period, CAST(count(*) AS BIGINT) AS users
FROM cohorts AS begun
JOIN told AS later ON begun.who = later.who
WHERE later.bucket >= begun.bucket AND later.latest > begun.began
GROUP BY begun.bucket, later.bucket

-- recurring_cohorts: Every period in which a user began.
SELECT who, bucket, began FROM told WHERE began IS NOT NULL

-- first_cohorts: The period in which a user began first, if he had not before.
SELECT who, min(period) AS bucket, min(moment) AS began
FROM (SELECT who, bucket AS period, began AS moment FROM told WHERE began IS NOT NULL) AS begun
WHERE who NOT IN (SELECT who FROM (<earlier>) AS earlier)
GROUP BY who

-- paths: The ways taken most, and with each how many there are of all, and how many journeys.
SELECT *, row_number() OVER (ORDER BY <rank>) AS place
FROM (
    SELECT <keys>, CAST(count(*) AS BIGINT) AS taken, CAST(uniqExact(who) AS BIGINT) AS takers,
        CAST(sum(count(*)) OVER () AS BIGINT) AS everyone, CAST(count(*) OVER () AS BIGINT) AS different
    FROM (
        SELECT who, sitting, <nodes>
        FROM (
            SELECT *, row_number() OVER (PARTITION BY who, sitting ORDER BY number) AS step
            FROM (
                SELECT *, row_number() OVER following AS turn, <same> AS repeated
                FROM (
                    SELECT who, <kept>, number,
                        max(CASE WHEN apart > {gap:Int64} THEN number ELSE 0 END) OVER sofar AS sitting,
                        max(CASE WHEN meant THEN number ELSE 0 END) OVER sofar AS met
                    FROM (
                        SELECT who, meant, <kept>, row_number() OVER ordered AS number, <apart> AS apart,
                            <near> AS near
                        FROM (<facts>) AS told
                        WINDOW ordered AS (PARTITION BY who ORDER BY <order>)
                    ) AS numbered
                    WHERE near OR apart > {gap:Int64}
                    WINDOW sofar AS (PARTITION BY who ORDER BY number ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW)
                ) AS marked
                WHERE met >= sitting
                WINDOW following AS (PARTITION BY who, sitting ORDER BY number)
            ) AS compared
            WHERE turn = 1 OR NOT repeated
        ) AS stepped
        WHERE step <= {depth:Int64}
        GROUP BY who, sitting
    ) AS journeys
    GROUP BY <keys>
) AS ways
ORDER BY <rank>
LIMIT {limit:UInt32}

-- after_it: How long after the event before an event is, in ms.
timestamp - lag(timestamp, 1, -9000000000000000) OVER ordered

-- before_it: How long before the event after it an event is, in ms.
lag(timestamp, 1, 9000000000000000) OVER ordered - timestamp

-- shortly_after: Whether so many events before is one that is asked about.
(lag(CASE WHEN meant THEN 1 ELSE 0 END, {events:Int64}, 0) OVER ordered = 1)

-- never: Nothing is left out.
FALSE

-- again: A value that is that of the event before.
({name:Identifier} = lag({name:Identifier}) OVER following)

-- node: The value of a step.
max(CASE WHEN step = {step:Int64} THEN {found:Identifier} END) AS {called:Identifier}
