-- Forget that a session was seen away from home in the quarter that is its home now.
DELETE FROM sessions_elsewhere
WHERE tenant IN {tenants:Array(String)} AND quarter = home
