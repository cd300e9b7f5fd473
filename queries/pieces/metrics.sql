-- What is counted, over the facts of a group.

-- events: How many events, from rows.
CAST(count(*) AS BIGINT)

-- events_rolled: How many events, from counts.
CAST(coalesce(sum(weight), 0) AS BIGINT)

-- users: How many different users; the key of nobody is 0.
CAST(uniqExact(nullIf(user_key, 0)) AS BIGINT)

-- sessions: How many different sessions; the key of none is 0.
CAST(uniqExact(nullIf(session_key, 0)) AS BIGINT)

-- events_per_user: How many events a user has, on average; nothing where there is no user.
count(*) / nullIf(uniqExact(nullIf(user_key, 0)), 0)

-- count: How many numbers.
CAST(count(<number>) AS BIGINT)

-- sum: Their sum.
sumKahan(<number>)

-- avg: Their mean.
sumKahan(<number>) / count(<number>)

-- min: The least.
min(<number>)

-- max: The greatest.
max(<number>)

-- percentile: Exact, between the two nearest where it falls between them.
quantileExactInclusive({level:Float64})(<number>)
