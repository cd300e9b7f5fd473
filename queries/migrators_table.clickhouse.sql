-- Who is migrating: each says until when (ms since 1970 UTC) it will be at work; its last word counts.
CREATE TABLE IF NOT EXISTS migrators (
    holder String,
    turn   UInt32,
    until  Int64
)
ENGINE = MergeTree
ORDER BY (holder, turn)
