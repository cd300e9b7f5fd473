-- DuckDB's own form of some facts: its rollups end at a position.

-- minutes: Counts from whole minutes; from the rows at the edges and beyond the rolled position.
SELECT <columns>, weight
FROM (
    SELECT minute AS timestamp, event_type, events AS weight
    FROM events_by_minute
    WHERE tenant = {tenant:String}
        AND minute >= {whole_from:Int64} AND minute < {whole_to:Int64}
    UNION ALL
    SELECT timestamp, event_type, 1 AS weight
    FROM events
    WHERE tenant = {tenant:String}
        AND timestamp >= {left_from:Int64} AND timestamp < {left_to:Int64}
        AND position <= {rolled:UInt64}
    UNION ALL
    SELECT timestamp, event_type, 1 AS weight
    FROM events
    WHERE tenant = {tenant:String}
        AND timestamp >= {right_from:Int64} AND timestamp < {right_to:Int64}
        AND position <= {rolled:UInt64}
    UNION ALL
    SELECT timestamp, event_type, 1 AS weight
    FROM events
    WHERE tenant = {tenant:String}
        AND timestamp >= {start:Int64} AND timestamp < {end:Int64}
        AND position > {rolled:UInt64}
) AS parts
WHERE <filters AND>
