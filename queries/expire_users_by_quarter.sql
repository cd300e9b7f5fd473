-- Delete what users_by_quarter counts for some environments before a moment, the beginning of a day.
DELETE FROM users_by_quarter
WHERE tenant IN {tenants:Array(String)} AND quarter < {before:Int64}
