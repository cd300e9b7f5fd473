-- The day of the last event of the message that was stored last, if it is of these environments:
-- by its rows the writer sees that no disk was lost, so they stay until another one is stored.
SELECT max(timestamp) - ((max(timestamp) % 86400000) + 86400000) % 86400000 AS day
FROM events
WHERE tenant IN {tenants:Array(String)} AND position = (SELECT position FROM events ORDER BY position DESC LIMIT 1)
HAVING count(*) > 0
