-- One row an event, in stream order. Times are milliseconds since 1970 UTC. `position` is
-- epoch * 2^40 + stream sequence, `ordinal` the place inside the stream message: together they
-- name a row. `*_key` are 64-bit digests of (tenant, id): what exact distinct counts and the
-- recognition of repeats work on.
CREATE TABLE events (
    position    UBIGINT NOT NULL,
    ordinal     UINTEGER NOT NULL,
    tenant      VARCHAR NOT NULL,
    event_id    VARCHAR NOT NULL,
    event_key   UBIGINT NOT NULL,
    event_type  VARCHAR NOT NULL,
    user_id     VARCHAR NOT NULL,
    user_key    UBIGINT NOT NULL,
    session_id  VARCHAR NOT NULL,
    session_key UBIGINT NOT NULL,
    source      VARCHAR NOT NULL,
    timestamp   BIGINT NOT NULL,
    received_at BIGINT NOT NULL,
    priority    UTINYINT NOT NULL,
    metadata    VARCHAR NOT NULL,
    payload     VARCHAR NOT NULL,
    numbers     MAP(VARCHAR, DOUBLE) NOT NULL
);

-- How far the store has read the stream: one row, moved in the same transaction as the rows.
CREATE TABLE progress (
    epoch          UINTEGER NOT NULL,
    stream_created VARCHAR NOT NULL,
    sequence       UBIGINT NOT NULL,
    message_id     VARCHAR NOT NULL,
    message_time   BIGINT NOT NULL
);
INSERT INTO progress VALUES (0, '', 0, '', 0);
