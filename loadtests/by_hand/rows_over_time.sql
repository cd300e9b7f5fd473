-- Events in each slot of time, from the rows.
SELECT intDiv(timestamp - {start:Int64}, {slot:Int64}) AS slot, count(*) AS events
FROM events
WHERE tenant = {tenant:String} AND timestamp >= {start:Int64} AND timestamp < {end:Int64}
GROUP BY slot
