-- How many events, and how much text, stand in each stretch of 256 messages of the stream.
SELECT
    position - position % 256 AS slot,
    count(*) AS events,
    CAST(coalesce(sum(char_length(metadata) + char_length(payload)), 0) AS BIGINT) AS text
FROM events
WHERE position > {after:UInt64} AND position <= {until:UInt64}
    AND ({tenant:String} = '' OR tenant = {tenant:String}) AND tenant <> {apart:String}
    AND timestamp >= {start:Int64} AND timestamp < {end:Int64}
GROUP BY slot
ORDER BY slot
