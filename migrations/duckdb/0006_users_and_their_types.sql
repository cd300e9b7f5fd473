-- Users are counted from rows that know nothing of types, which are far fewer; what users did has a
-- table of its own, of which a question reads a few users. Its merged partials are in the order of
-- users, those of the other rollups in order of time, so that the engine passes over the rest.
ALTER TABLE users_by_quarter RENAME TO types_by_user;
CREATE TABLE users_by_quarter (
    level    UTINYINT NOT NULL,
    tenant   VARCHAR NOT NULL,
    quarter  BIGINT NOT NULL,
    user_key UBIGINT NOT NULL,
    events   BIGINT NOT NULL
);
INSERT INTO users_by_quarter
SELECT level, tenant, quarter, user_key, CAST(sum(events) AS BIGINT)
FROM types_by_user
GROUP BY level, tenant, quarter, user_key
ORDER BY tenant, quarter;
