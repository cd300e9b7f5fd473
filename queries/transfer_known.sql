-- How many of some ids an environment has, at whatever time.
SELECT count(DISTINCT event_id) AS events
FROM events
WHERE tenant = {tenant:String} AND event_id IN {ids:Array(String)}
