-- Delete what is counted for some minutes, to be counted again without the users erased.
DELETE FROM events_by_minute
WHERE tenant = {tenant:String} AND minute IN {minutes:Array(Int64)}
