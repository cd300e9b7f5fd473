-- The digests of the events after one position and up to another, in stream order.
SELECT event_key, position, timestamp
FROM events
WHERE position > {after:UInt64} AND position <= {until:UInt64}
ORDER BY position
