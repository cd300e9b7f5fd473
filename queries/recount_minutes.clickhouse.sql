-- Count those minutes again, from the rows of everybody but the users erased. The engine must not
-- take these rows for a repeat of what was inserted, and deleted, before.
INSERT INTO events_by_minute
SELECT
    tenant,
    timestamp - ((timestamp % 60000) + 60000) % 60000 AS minute,
    event_type,
    toInt64(count()) AS events
FROM events
WHERE tenant = {tenant:String}
    AND timestamp - ((timestamp % 60000) + 60000) % 60000 IN (
        SELECT timestamp - ((timestamp % 60000) + 60000) % 60000
        FROM events
        WHERE tenant = {tenant:String}
            AND user_key IN {user_keys:Array(UInt64)} AND user_id IN {users:Array(String)}
    )
    AND NOT (user_key IN {user_keys:Array(UInt64)} AND user_id IN {users:Array(String)})
GROUP BY tenant, minute, event_type
SETTINGS
    insert_deduplicate = 0,
    distributed_foreground_insert = 1,
    distributed_product_mode = 'local'
