-- Where the facts of a question come from, and which columns they have.

-- rows: The rows of a range.
SELECT <columns>
FROM events
WHERE tenant = {tenant:String}
    AND timestamp >= {start:Int64} AND timestamp < {end:Int64}
    AND <filters AND>

-- opened_rows: The rows of a range, with values out of their documents.
SELECT <columns>
FROM (
    SELECT *, <jsons>
    FROM events
    WHERE tenant = {tenant:String}
        AND timestamp >= {start:Int64} AND timestamp < {end:Int64}
) AS opened
WHERE <filters AND>

-- rows_and_customers: The same, and beside each row the profile of its user as it was last told.
SELECT <columns>
FROM (
    SELECT *, <jsons>
    FROM (
        SELECT *
        FROM events
        WHERE tenant = {tenant:String}
            AND timestamp >= {start:Int64} AND timestamp < {end:Int64}
    ) AS told
    LEFT JOIN (
        SELECT user_id, argMax(document, (told_at, position, ordinal)) AS customer
        FROM customers
        WHERE tenant = {tenant:String} AND part = '' AND user_id <> ''
        GROUP BY user_id
    ) AS profiles USING (user_id)
) AS opened
WHERE <filters AND>

-- minutes: Counts from whole minutes; from the rows at the edges.
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
    UNION ALL
    SELECT timestamp, event_type, 1 AS weight
    FROM events
    WHERE tenant = {tenant:String}
        AND timestamp >= {right_from:Int64} AND timestamp < {right_to:Int64}
) AS parts
WHERE <filters AND>

-- column: A value under a name.
<value> AS {name:Identifier}

-- one: The column of facts that need none.
1

-- buckets: The number of the bucket that a moment lies in.
CASE WHEN <steps WHEN> ELSE 0 END

-- step: Buckets of one length from {begin} on: they are numbered from {first} to {last}.
timestamp >= {begin:Int64} THEN least({first:Int64} + intDiv(timestamp - {begin:Int64}, {interval:Int64}), {last:Int64})
