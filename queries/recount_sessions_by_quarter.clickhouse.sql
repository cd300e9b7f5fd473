-- Note where those sessions were seen, from the rows of everybody but the users erased.
INSERT INTO sessions_by_quarter
SELECT
    tenant,
    timestamp - ((timestamp % 900000) + 900000) % 900000 AS quarter,
    session_key
FROM events
WHERE tenant = {tenant:String}
    AND session_key IN (
        SELECT session_key
        FROM events
        WHERE tenant = {tenant:String}
            AND user_key IN {user_keys:Array(UInt64)} AND user_id IN {users:Array(String)}
    )
    AND NOT (user_key IN {user_keys:Array(UInt64)} AND user_id IN {users:Array(String)})
GROUP BY tenant, quarter, session_key
SETTINGS
    insert_deduplicate = 0,
    distributed_foreground_insert = 1,
    distributed_product_mode = 'local'
