-- Events of each type, from the minutes: right for ranges of whole minutes only.
SELECT event_type, sum(events) AS total
FROM events_by_minute
WHERE tenant = {tenant:String} AND minute >= {start:Int64} AND minute < {end:Int64}
GROUP BY event_type
