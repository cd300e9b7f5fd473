-- Where the steps of migrations are noted.
CREATE TABLE IF NOT EXISTS migrations (
    name       String,
    step       UInt32,
    checksum   String,
    applied_at DateTime DEFAULT now()
)
ENGINE = MergeTree
ORDER BY (name, step)
SETTINGS fsync_after_insert = 1, fsync_part_directory = 1
