-- Delete the counts of an environment that come to nothing.
DELETE FROM events_by_minute
WHERE tenant = {tenant:String}
    AND (minute, event_type) IN (
        SELECT (minute, event_type)
        FROM events_by_minute
        WHERE tenant = {tenant:String}
        GROUP BY minute, event_type
        HAVING sum(events) = 0
    )
