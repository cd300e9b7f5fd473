-- Where the steps of migrations are noted.
CREATE TABLE IF NOT EXISTS migrations (
    name       VARCHAR NOT NULL,
    step       UINTEGER NOT NULL,
    checksum   VARCHAR NOT NULL,
    applied_at TIMESTAMP NOT NULL DEFAULT current_timestamp
)
