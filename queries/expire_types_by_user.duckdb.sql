-- Delete what types_by_user counts for some environments before a moment, the beginning of a day.
DELETE FROM types_by_user
WHERE tenant IN {tenants:Array(String)} AND quarter < {before:Int64}
