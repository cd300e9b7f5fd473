-- What is counted, over the facts of a group.

-- events: How many events, from rows.
CAST(count(*) AS BIGINT)

-- events_rolled: How many events, from counts.
CAST(coalesce(sum(weight), 0) AS BIGINT)

-- users: How many different users.
CAST(uniqExact(user_key) AS BIGINT)

-- sessions: How many different sessions.
CAST(uniqExact(session_key) AS BIGINT)

-- events_per_user: How many events a user has, on average.
count(*) / uniqExact(user_key)

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
