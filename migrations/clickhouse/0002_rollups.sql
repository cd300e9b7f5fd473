-- Rollups that the engine keeps itself: each view adds to its table what an insert brings, and
-- rows of one bucket that are not merged yet are summed by the question. `minute`, `quarter` (of
-- an hour) and `day` (UTC) are a bucket's beginning, ms since 1970 UTC.
CREATE TABLE IF NOT EXISTS events_by_minute (
    tenant     LowCardinality(String),
    minute     Int64 CODEC(Delta, ZSTD(1)),
    event_type LowCardinality(String),
    events     Int64 CODEC(T64, ZSTD(1))
)
ENGINE = SummingMergeTree(events)
ORDER BY (tenant, minute, event_type)
SETTINGS
    non_replicated_deduplication_window = 10000,
    fsync_after_insert = 1,
    fsync_part_directory = 1;

CREATE MATERIALIZED VIEW IF NOT EXISTS events_by_minute_view TO events_by_minute AS
SELECT
    tenant,
    timestamp - ((timestamp % 60000) + 60000) % 60000 AS minute,
    event_type,
    toInt64(count()) AS events
FROM events
GROUP BY tenant, minute, event_type;

CREATE TABLE IF NOT EXISTS users_by_quarter (
    tenant   LowCardinality(String),
    quarter  Int64 CODEC(Delta, ZSTD(1)),
    user_key UInt64 CODEC(Delta, ZSTD(1)),
    events   Int64 CODEC(T64, ZSTD(1))
)
ENGINE = SummingMergeTree(events)
ORDER BY (tenant, quarter, user_key)
SETTINGS
    non_replicated_deduplication_window = 10000,
    fsync_after_insert = 1,
    fsync_part_directory = 1;

CREATE MATERIALIZED VIEW IF NOT EXISTS users_by_quarter_view TO users_by_quarter AS
SELECT
    tenant,
    timestamp - ((timestamp % 900000) + 900000) % 900000 AS quarter,
    user_key,
    toInt64(count()) AS events
FROM events
GROUP BY tenant, quarter, user_key;

CREATE TABLE IF NOT EXISTS users_by_day (
    tenant   LowCardinality(String),
    day      Int64 CODEC(Delta, ZSTD(1)),
    user_key UInt64 CODEC(Delta, ZSTD(1)),
    events   Int64 CODEC(T64, ZSTD(1))
)
ENGINE = SummingMergeTree(events)
ORDER BY (tenant, day, user_key)
SETTINGS
    non_replicated_deduplication_window = 10000,
    fsync_after_insert = 1,
    fsync_part_directory = 1;

CREATE MATERIALIZED VIEW IF NOT EXISTS users_by_day_view TO users_by_day AS
SELECT
    tenant,
    timestamp - ((timestamp % 86400000) + 86400000) % 86400000 AS day,
    user_key,
    toInt64(count()) AS events
FROM events
GROUP BY tenant, day, user_key;

-- The quarters in which each session was seen: what ClickHouse counts different sessions by.
CREATE TABLE IF NOT EXISTS sessions_by_quarter (
    tenant      LowCardinality(String),
    quarter     Int64 CODEC(Delta, ZSTD(1)),
    session_key UInt64 CODEC(Delta, ZSTD(1))
)
ENGINE = ReplacingMergeTree
ORDER BY (tenant, quarter, session_key)
SETTINGS
    non_replicated_deduplication_window = 10000,
    fsync_after_insert = 1,
    fsync_part_directory = 1;

CREATE MATERIALIZED VIEW IF NOT EXISTS sessions_by_quarter_view TO sessions_by_quarter AS
SELECT
    tenant,
    timestamp - ((timestamp % 900000) + 900000) % 900000 AS quarter,
    session_key
FROM events
GROUP BY tenant, quarter, session_key;

-- Nothing waits to be rolled up: what the questions read beyond this position is nothing.
CREATE VIEW IF NOT EXISTS rolled AS
SELECT toUInt64(18446744073709551615) AS position;
