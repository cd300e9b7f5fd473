-- Delete what events_by_minute counts for some environments before a moment, the beginning of a day.
DELETE FROM events_by_minute
WHERE tenant IN {tenants:Array(String)} AND minute < {before:Int64}
