-- What the events of some stream messages add up to.
SELECT
    count(*) AS events,
    CAST(coalesce(sum(event_key % 4294967296), 0) AS BIGINT) AS ids,
    CAST(coalesce(sum(user_key % 4294967296), 0) AS BIGINT) AS users,
    CAST(coalesce(sum(session_key % 4294967296), 0) AS BIGINT) AS sessions,
    CAST(coalesce(sum(timestamp), 0) AS BIGINT) AS times,
    CAST(coalesce(sum(received_at), 0) AS BIGINT) AS receipts,
    CAST(coalesce(sum(priority), 0) AS BIGINT) AS priorities,
    CAST(coalesce(sum(char_length(event_type) + char_length(source)), 0) AS BIGINT) AS words,
    CAST(coalesce(sum(char_length(metadata) + char_length(payload)), 0) AS BIGINT) AS text
FROM events
WHERE position IN {positions:Array(UInt64)}
    AND position >= {first:UInt64} AND position <= {last:UInt64}
