-- How many events stand in the stream after one position and up to another.
SELECT count(*) AS rows
FROM events
WHERE position > {after:UInt64} AND position <= {until:UInt64}
