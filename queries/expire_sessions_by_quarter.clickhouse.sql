-- Delete where sessions of some environments were seen before a moment, the beginning of a day.
DELETE FROM sessions_by_quarter
WHERE tenant IN {tenants:Array(String)} AND quarter < {before:Int64}
