-- Delete what users_by_day counts for some environments before a moment, the beginning of a day.
DELETE FROM users_by_day
WHERE tenant IN {tenants:Array(String)} AND day < {before:Int64}
