-- Delete the quarters before a moment in which sessions were seen away from home.
DELETE FROM sessions_elsewhere
WHERE tenant IN {tenants:Array(String)} AND quarter < {before:Int64}
