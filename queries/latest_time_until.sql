-- The latest event time (ms) among the events up to a position; null where there are none.
SELECT max(timestamp) AS latest
FROM events
WHERE position <= {until:UInt64}
