-- How many events each day has, by event time.
SELECT bucketOf(timestamp, 86400000) AS day, count(*) AS events
FROM events
GROUP BY bucketOf(timestamp, 86400000)
ORDER BY day
