-- Rollups of the rows up to rolled.position; the rows beyond it are read from `events`. `minute`,
-- `quarter` (of an hour) and `day` (UTC) are a bucket's beginning, ms since 1970 UTC.
CREATE TABLE rolled (position UBIGINT NOT NULL);
INSERT INTO rolled VALUES (0);

-- Partial sums. Each step of rolling adds rows of level 0, and when a level has many partials they
-- are merged into one of the next level: a sum is taken over all levels.
CREATE TABLE rollup_partials (level UTINYINT NOT NULL);
CREATE TABLE events_by_minute (
    level      UTINYINT NOT NULL,
    tenant     VARCHAR NOT NULL,
    minute     BIGINT NOT NULL,
    event_type VARCHAR NOT NULL,
    events     BIGINT NOT NULL
);
CREATE TABLE users_by_quarter (
    level    UTINYINT NOT NULL,
    tenant   VARCHAR NOT NULL,
    quarter  BIGINT NOT NULL,
    user_key UBIGINT NOT NULL,
    events   BIGINT NOT NULL
);
CREATE TABLE users_by_day (
    level    UTINYINT NOT NULL,
    tenant   VARCHAR NOT NULL,
    day      BIGINT NOT NULL,
    user_key UBIGINT NOT NULL,
    events   BIGINT NOT NULL
);

-- Every session once, at home in one quarter in which it was seen; the other quarters in which it
-- was seen are elsewhere. So a range's sessions are those at home in it, plus the few that are
-- only elsewhere in it, and nothing has to be made distinct but those.
CREATE TABLE sessions (
    tenant      VARCHAR NOT NULL,
    session_key UBIGINT NOT NULL,
    home        BIGINT NOT NULL
);
CREATE TABLE sessions_elsewhere (
    tenant      VARCHAR NOT NULL,
    session_key UBIGINT NOT NULL,
    home        BIGINT NOT NULL,
    quarter     BIGINT NOT NULL
);
