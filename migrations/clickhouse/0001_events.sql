-- One row an event. Columns and meanings are those of migrations/duckdb/0001_events.sql. Every
-- statement may be carried out again: a crash between a statement and its note repeats it.
--
-- A partition is 30 days of event time. The deduplication windows count parts: a group tried
-- again within the last ten thousand leaves each of its rows once, here and behind every view.
-- `by_user` holds the same rows in the order of users: what one user did is read from there.
CREATE TABLE IF NOT EXISTS events (
    position    UInt64 CODEC(Delta, ZSTD(1)),
    ordinal     UInt32 CODEC(Delta, ZSTD(1)),
    tenant      LowCardinality(String) CODEC(ZSTD(1)),
    event_id    String CODEC(ZSTD(1)),
    event_key   UInt64 CODEC(NONE),
    event_type  LowCardinality(String) CODEC(ZSTD(1)),
    user_id     String CODEC(ZSTD(1)),
    user_key    UInt64 CODEC(ZSTD(1)),
    session_id  String CODEC(ZSTD(1)),
    session_key UInt64 CODEC(ZSTD(1)),
    source      LowCardinality(String) CODEC(ZSTD(1)),
    timestamp   Int64 CODEC(Delta, ZSTD(1)),
    received_at Int64 CODEC(Delta, ZSTD(1)),
    priority    UInt8 CODEC(ZSTD(1)),
    metadata    String CODEC(ZSTD(1)),
    payload     String CODEC(ZSTD(1)),
    numbers     Map(String, Float64) CODEC(ZSTD(1)),
    INDEX positions position TYPE minmax GRANULARITY 1,
    INDEX receipts received_at TYPE minmax GRANULARITY 1,
    PROJECTION by_user (
        SELECT tenant, user_key, timestamp, event_type, user_id
        ORDER BY tenant, user_key, timestamp
    )
)
ENGINE = MergeTree
PARTITION BY intDiv(timestamp, 2592000000)
ORDER BY (tenant, timestamp)
SETTINGS
    non_replicated_deduplication_window = 10000,
    lightweight_mutation_projection_mode = 'rebuild',
    fsync_after_insert = 1,
    fsync_part_directory = 1;
