-- When the newest event of one user that is stored was sent (ms), from a moment on; null without one.
SELECT CASE WHEN count(*) > 0 THEN max(timestamp) END AS latest
FROM events
WHERE tenant = {tenant:String} AND user_id = {sender:String} AND timestamp >= {start:Int64}
