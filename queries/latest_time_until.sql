-- The latest event time (ms) among the events up to a position; null where there are none.
SELECT CASE WHEN count(*) > 0 THEN max(timestamp) END AS latest
FROM events
WHERE position <= {until:UInt64}
