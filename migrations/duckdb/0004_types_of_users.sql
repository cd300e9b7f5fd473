-- What users did, by the quarter of an hour: of each user one row for each of his event types. The
-- rollups begin anew, and the rows are rolled up again by the running service; until that is done
-- its questions read them raw.
DROP TABLE users_by_quarter;
CREATE TABLE users_by_quarter (
    level      UTINYINT NOT NULL,
    tenant     VARCHAR NOT NULL,
    quarter    BIGINT NOT NULL,
    user_key   UBIGINT NOT NULL,
    event_type VARCHAR NOT NULL,
    events     BIGINT NOT NULL,
    last_at    BIGINT NOT NULL
);
DELETE FROM users_by_day;
DELETE FROM events_by_minute;
DELETE FROM sessions;
DELETE FROM sessions_elsewhere;
DELETE FROM rollup_partials;
UPDATE rolled SET position = 0;
