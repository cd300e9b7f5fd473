-- Count, sum and extremes of a numeric field of the payload, by {by}.
SELECT
    key,
    count(*) AS values,
    sumKahan(value) AS total,
    min(value) AS least,
    max(value) AS most
FROM (
    SELECT
        CASE {by:String} WHEN 'eventType' THEN event_type WHEN 'userId' THEN user_id ELSE '' END AS key,
        numbers[{name:String}] AS value
    FROM events
    WHERE tenant = {tenant:String}
        AND timestamp >= {start:Int64} AND timestamp < {end:Int64}
        AND mapContains(numbers, {name:String})
        AND ({event_type:String} = '' OR event_type = {event_type:String})
        AND ({user_id:String} = '' OR positionUTF8(user_id, {user_id:String}) > 0)
) AS found
GROUP BY key
ORDER BY count(*) DESC, key
LIMIT {limit:UInt32}
