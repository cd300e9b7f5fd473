-- The highest position of a stored event beyond the one that is named; 0 where there is none.
SELECT coalesce(max(position), 0) AS highest
FROM events
WHERE position > {after:UInt64}
