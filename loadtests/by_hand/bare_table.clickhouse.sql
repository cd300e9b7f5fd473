-- The columns of `events` and nothing else: no views, no projection, no codecs, no sync to disk.
CREATE TABLE bare ENGINE = MergeTree ORDER BY (tenant, timestamp) AS SELECT * FROM events LIMIT 0
