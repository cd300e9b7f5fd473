-- What is known of customers; columns and meanings are those of migrations/duckdb/0005_customers.sql.
CREATE TABLE IF NOT EXISTS customers (
    tenant      LowCardinality(String),
    user_id     String CODEC(ZSTD(1)),
    part        LowCardinality(String),
    told_at     Int64 CODEC(ZSTD(1)),
    position    UInt64 CODEC(ZSTD(1)),
    ordinal     UInt32 CODEC(ZSTD(1)),
    event_id    String CODEC(ZSTD(1)),
    received_at Int64 CODEC(ZSTD(1)),
    document    String CODEC(ZSTD(1))
)
ENGINE = MergeTree
ORDER BY (tenant, user_id, part, told_at)
SETTINGS
    non_replicated_deduplication_window = 10000,
    fsync_after_insert = 1,
    fsync_part_directory = 1;

CREATE MATERIALIZED VIEW IF NOT EXISTS customers_view TO customers AS
SELECT
    tenant,
    user_id,
    if(event_type = 'customer.profile', '', JSONExtractString(payload, 'list_name')) AS part,
    timestamp AS told_at,
    position,
    ordinal,
    event_id,
    received_at,
    if(event_type = 'customer.profile', payload, JSONExtractRaw(payload, 'ext_data')) AS document
FROM events
WHERE event_type IN ('customer.profile', 'customer.attributes');
