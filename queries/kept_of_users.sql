-- How much is kept of some users of an environment: their events, and what was told of them.
SELECT
    user_id,
    CAST(sum(event) AS BIGINT) AS events,
    CAST(sum(version) AS BIGINT) AS versions
FROM (
    SELECT user_id, 1 AS event, 0 AS version
    FROM events
    WHERE tenant = {tenant:String}
        AND user_key IN {user_keys:Array(UInt64)} AND user_id IN {users:Array(String)}
    UNION ALL
    SELECT user_id, 0 AS event, 1 AS version
    FROM customers
    WHERE tenant = {tenant:String} AND user_id IN {users:Array(String)}
) AS kept
GROUP BY user_id
ORDER BY user_id
