-- Delete the sessions that have no home any more: they were seen only before a moment.
DELETE FROM sessions
WHERE tenant IN {tenants:Array(String)} AND home < {before:Int64}
