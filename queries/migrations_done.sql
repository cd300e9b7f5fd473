-- How many steps of each migration are done, and the checksum of the file they came from.
SELECT name, max(step) + 1 AS steps, min(checksum) AS checksum
FROM migrations
GROUP BY name
ORDER BY name
