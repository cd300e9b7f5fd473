-- How many events of each type, and how many in each slot of time: from the whole minutes, from
-- the rows at the edges and from those beyond the rolled position. A row of the answer has either
-- an event type, or a slot, numbered from {origin} on.
SELECT
    CASE WHEN grouping(kind) = 0 THEN kind ELSE '' END AS event_type,
    CASE WHEN grouping(bucket) = 0 THEN bucket ELSE -1 END AS slot,
    CAST(sum(counted) AS BIGINT) AS events
FROM (
    SELECT event_type AS kind, intDiv(minute - {origin:Int64}, {slot:Int64}) AS bucket, events AS counted
    FROM events_by_minute
    WHERE tenant = {tenant:String}
        AND minute >= {whole_from:Int64} AND minute < {whole_to:Int64}
        AND ({event_type:String} = '' OR event_type = {event_type:String})
    UNION ALL
    SELECT event_type AS kind, intDiv(timestamp - {origin:Int64}, {slot:Int64}) AS bucket, 1 AS counted
    FROM events
    WHERE tenant = {tenant:String}
        AND timestamp >= {left_from:Int64} AND timestamp < {left_to:Int64}
        AND position <= {rolled:UInt64}
        AND ({event_type:String} = '' OR event_type = {event_type:String})
        AND ({user_id:String} = '' OR positionUTF8(user_id, {user_id:String}) > 0)
    UNION ALL
    SELECT event_type AS kind, intDiv(timestamp - {origin:Int64}, {slot:Int64}) AS bucket, 1 AS counted
    FROM events
    WHERE tenant = {tenant:String}
        AND timestamp >= {right_from:Int64} AND timestamp < {right_to:Int64}
        AND position <= {rolled:UInt64}
        AND ({event_type:String} = '' OR event_type = {event_type:String})
        AND ({user_id:String} = '' OR positionUTF8(user_id, {user_id:String}) > 0)
    UNION ALL
    SELECT event_type AS kind, intDiv(timestamp - {origin:Int64}, {slot:Int64}) AS bucket, 1 AS counted
    FROM events
    WHERE tenant = {tenant:String}
        AND timestamp >= {start:Int64} AND timestamp < {end:Int64}
        AND position > {rolled:UInt64}
        AND ({event_type:String} = '' OR event_type = {event_type:String})
        AND ({user_id:String} = '' OR positionUTF8(user_id, {user_id:String}) > 0)
) AS parts
GROUP BY GROUPING SETS ((kind), (bucket))
