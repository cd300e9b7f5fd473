-- Which candidates are stored already, by full id. The near net knows the position where it saw
-- the digest; for the far net an honest retry carries the timestamp of the first try.
SELECT DISTINCT candidates.row
FROM candidates
JOIN events
    ON events.position = candidates.position
    AND events.tenant = candidates.tenant
    AND events.event_id = candidates.event_id
UNION
SELECT DISTINCT candidates.row
FROM candidates
JOIN events
    ON events.timestamp = candidates.timestamp
    AND events.tenant = candidates.tenant
    AND events.event_id = candidates.event_id
