-- How many events of one stream message are not those of some users of an environment.
SELECT count(*) AS events
FROM events
WHERE position = {position:UInt64}
    AND NOT (
        tenant = {tenant:String}
        AND user_key IN {user_keys:Array(UInt64)} AND user_id IN {users:Array(String)}
    )
