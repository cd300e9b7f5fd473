-- Events in each slot of time, from the minutes: right for ranges of whole minutes only.
SELECT intDiv(minute - {start:Int64}, {slot:Int64}) AS slot, sum(events) AS total
FROM events_by_minute
WHERE tenant = {tenant:String} AND minute >= {start:Int64} AND minute < {end:Int64}
GROUP BY slot
