-- What a composed question is made of, piece by piece: docs/decisions/0014-queries-from-pieces.md.
-- Each piece has a name and a line about it; <holes> are filled with other pieces.

-- whole: One row over all facts.
SELECT <metrics>
FROM (<facts>) AS facts
WHERE <which>

-- grouped: A row for each group of facts.
SELECT <keys>, <metrics>
FROM (<facts>) AS facts
WHERE <which>
GROUP BY <keys>

-- series: A row for each bucket of each group of a page; `place` is the group's on the page.
WITH facts AS MATERIALIZED (<facts>)
SELECT <keys>, place, <metrics>
FROM facts
JOIN (
    SELECT <groups>, row_number() OVER (ORDER BY <order>) AS place
    FROM (<page>) AS page
) AS placed USING (<groups>)
GROUP BY <keys>, place

-- page: The groups of one page, in their order.
SELECT <keys>, <metrics>
FROM (<facts>) AS facts
GROUP BY <keys>
ORDER BY <order>
LIMIT {limit:UInt32} OFFSET {offset:UInt32}

-- page_of_facts: The same of facts that have a name.
SELECT <keys>, <metrics>
FROM facts
GROUP BY <keys>
ORDER BY <order>
LIMIT {limit:UInt32} OFFSET {offset:UInt32}

-- everything: Facts of all groups.
TRUE

-- on_page: Facts whose group is on the page.
(<keys>) IN (SELECT <keys> FROM (<page>) AS page)

-- off_page: Facts whose group is not on the page.
(<keys>) NOT IN (SELECT <keys> FROM (<page>) AS page)

-- name: A column by its name.
{name:Identifier}

-- up: An order, the least first, nothing last.
<by> ASC NULLS LAST

-- down: An order, the most first, nothing last.
<by> DESC NULLS LAST

-- events: Events by their times, those of one time as they were stored.
SELECT *
FROM (<facts>) AS facts
ORDER BY timestamp, position, ordinal
LIMIT {limit:UInt32}
