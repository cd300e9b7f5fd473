-- What is known of customers: every version of every part, in the order in which they came. The
-- part '' is the profile; others are attributes under the name of their list. The latest version
-- of a part is the one of the latest `told_at`, and of equal times the one that came last.
-- `document` is a JSON object. Events expire; customers stay until they are erased.
CREATE TABLE customers (
    tenant      VARCHAR NOT NULL,
    user_id     VARCHAR NOT NULL,
    part        VARCHAR NOT NULL,
    told_at     BIGINT NOT NULL,
    position    UBIGINT NOT NULL,
    ordinal     UINTEGER NOT NULL,
    event_id    VARCHAR NOT NULL,
    received_at BIGINT NOT NULL,
    document    VARCHAR NOT NULL
);

-- As ClickHouse calls it.
CREATE MACRO has(entries, entry) AS list_contains(entries, entry);
