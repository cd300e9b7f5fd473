-- Which of these events are stored, where and when: by the positions where the near net saw their
-- digests, or by the timestamps of the first tries. The full id decides.
SELECT tenant, event_id, position, timestamp
FROM events
WHERE position IN {positions:Array(UInt64)}
    AND tenant IN {tenants:Array(String)}
    AND event_id IN {ids:Array(String)}
UNION ALL
SELECT tenant, event_id, position, timestamp
FROM events
WHERE timestamp IN {timestamps:Array(Int64)}
    AND tenant IN {tenants:Array(String)}
    AND event_id IN {ids:Array(String)}
