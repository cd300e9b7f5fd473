-- How many events there are in one part of them, and how many different places on the stream.
SELECT
    CAST(coalesce(sum(times), 0) AS BIGINT) AS expected,
    count(*) AS found,
    count(*) FILTER (WHERE times > 1) AS differing
FROM (
    SELECT count(*) AS times
    FROM events
    WHERE position % {parts:UInt64} = {part:UInt64}
    GROUP BY position, ordinal
) AS places
