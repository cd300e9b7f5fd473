-- How many events each day has, by event time.
SELECT timestamp - ((timestamp % 86400000) + 86400000) % 86400000 AS day, count(*) AS events
FROM events
GROUP BY timestamp - ((timestamp % 86400000) + 86400000) % 86400000
ORDER BY day
