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

-- page: The groups of one page, the first by {order} first.
SELECT <keys>, <metrics>
FROM (<facts>) AS facts
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
{name:Identifier} ASC NULLS LAST

-- down: An order, the most first, nothing last.
{name:Identifier} DESC NULLS LAST
