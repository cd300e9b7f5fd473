-- Delete the events of some environments from before a moment, the beginning of a day.
DELETE FROM events
WHERE tenant IN {tenants:Array(String)} AND timestamp < {before:Int64}
