"""What users of SQL try to reach: nothing of it runs, nothing leaks, and they are told where."""

import asyncio
import json
import socket

import pytest

from service.errors import InvalidInput, InvalidSql, QuestionTooBig, SqlNotAllowed
from service.migrate import migrate
from service.query.cache import AnswerCache
from service.query.run import Questions
from service.query.sql.reading import read_sql
from service.settings import Settings
from service.storage.protocol import Statement
from tests.building import NOON, TENANT, an_event
from tests.stores import STORES
from tests.storing import AStream, put

NOW = int(NOON.timestamp() * 1000) + 600_000
MARK = "of-another-tenant"

ELSEWHERE = (
    "read_csv('/etc/passwd')", "read_csv_auto('/etc/passwd')", "read_text('/etc/passwd')",
    "read_blob('/etc/passwd')", "read_json('/etc/passwd')", "read_parquet('x.parquet')",
    "'/etc/passwd'", "\"/etc/passwd\"", "'events.csv'", "parquet_scan('x')", "glob('/*')",
    "sqlite_scan('x', 'y')", "postgres_scan('x', 'y', 'z')", "iceberg_scan('x')",
    "file('/etc/passwd', 'LineAsString')", "url('http://127.0.0.1:{port}/', 'CSV', 'a String')",
    "s3('http://127.0.0.1:{port}/', 'CSV')", "remote('127.0.0.1:9000', 'default', 'events')",
    "remoteSecure('127.0.0.1', system.one)", "cluster('default', 'default.events')",
    "mysql('127.0.0.1:3306', 'd', 't', 'u', 'p')",
    "postgresql('127.0.0.1:5432', 'd', 't', 'u', 'p')",
    "jdbc('x', 'y')", "odbc('x', 'y')", "hdfs('x', 'y')", "executable('ls', 'TSV', 'a String')",
    "numbers(1000000000000)", "zeros(1000000000000)", "generateRandom('a String')",
    "generate_series(1, 1000000000000)", "range(1000000000000)",
    "repeat_row(1, num_rows=1000000000)",
    "merge('default', '.*')", "dictionary('x')", "input('a String')", "values('a String', 'x')",
    "view(SELECT 1)", "duckdb_tables()", "duckdb_settings()", "duckdb_secrets()",
    "duckdb_functions()",
    "pragma_table_info('events')", "pragma_database_list()", "query('SELECT * FROM events')",
    "query_table('events')", "unnest([1, 2])", "UNNEST(ARRAY[1])", "json_each('{{}}')",
    "test_all_types()", "checkpoint('x')", "force_checkpoint()", "sniff_csv('/etc/passwd')",
    "which_secret('a', 'b')", "summary((SELECT 1))", "main.events", "default.events",
    "memory.main.events",
    "events.main.events", "temp.events", "system.tables", "system.one", "system.processes",
    "system.query_log", "information_schema.tables", "information_schema.columns",
    "INFORMATION_SCHEMA.TABLES", "pg_catalog.pg_tables", "pg_tables", "sqlite_master",
    "duckdb_columns",
    "progress", "rolled", "rollup_partials", "events_by_minute", "users_by_quarter",
    "types_by_user",
    "sessions", "sessions_elsewhere", "sessions_by_quarter", "migrations", "events_local",
    "EVENTS_BY_DAY",
    "\"main\".\"events\"", "`events`", "cte_events", "\"events\"\"\"", "events@x",
    "(VALUES (1)) AS v(a)",
    "(DESCRIBE events)", "(SHOW TABLES)",
    "events, LATERAL (SELECT 1) AS l", "events TABLESAMPLE 10%",
    "events PIVOT (count(*) FOR user_id IN ('a'))",
    "events AT (VERSION => 1)", "events SAMPLE 0.1", "events ASOF JOIN customers USING (user_id)",
    "events SEMI JOIN customers USING (user_id)", "events NATURAL JOIN customers",
    "events POSITIONAL JOIN customers", "events ARRAY JOIN [1, 2] AS a",
)  # fmt: skip
CALLED = (
    "getenv('HOME')", "current_setting('memory_limit')", "set_config('a', 'b')", "version()",
    "current_user", "current_database()", "current_schema()", "current_catalog()", "pg_sleep(10)",
    "sleep(3)", "sleepEachRow(3)", "dictGet('d', 'a', 1)", "dictGetOrDefault('d', 'a', 1, 2)",
    "joinGet('events', 'a', 1)", "throwIf(1)", "error('x')", "read_text('/etc/passwd')",
    "file('/etc/passwd')", "hostName()", "serverUUID()", "getSetting('readonly')", "getMacro('x')",
    "currentQueryID()", "queryID()", "evalMLMethod(1)", "catboostEvaluate('/x', 1)", "nextval('s')",
    "txid_current()", "pg_typeof(1)", "typeof(1)", "query('SELECT 1')", "repeat('x', 1000000000)",
    "rpad('x', 1000000000, 'y')", "arrayJoin(range(1000000000))", "range(1000000000000)",
    "generate_series(1, 1000000000000)", "list_transform([1], x -> x)", "[x FOR x IN [1]]",
    "array_agg(payload)", "groupArray(payload)", "string_agg(payload, ',')", "list(payload)",
    "histogram(user_id)", "COLUMNS('.*')", "COLUMNS(*)", "* EXCLUDE (user_id)",
    "* REPLACE (1 AS user_id)",
    "events", "rowid", "_part", "_table", "_file", "tenant", "events.tenant", "position",
    "{{'a': 1}}",
    "MAP {{'a': 1}}", "ROW(1, 2)", "STRUCT_PACK(a := 1)", "1::STRUCT(a INT)", "1::ENUM('a')",
    "1::BLOB",
    "'x'::JSON", "1::UUID", "1::DECIMAL(10, 2)", "?", "$1", "@@version", "@x", ":name",
    "{{x:String}}",
    "INTERVAL '1000000000 years'", "INTERVAL (user_id) DAY", "x'00'", "b'a'", "E'\\n'", "$$a$$",
    "lower(user_id, 'x')", "user_id COLLATE NOCASE", "payload -> '$..*'", "payload ->> '$[*]'",
    "payload ->> user_id", "payload.a", "payload['a']", "user_id[1:2]", "user_id LIKE user_id",
    "user_id LIKE 'a' ESCAPE 'b'", "user_id SIMILAR TO 'a'", "user_id GLOB 'a'",
    "regexp_matches(user_id, user_id)", "EXISTS (SELECT 1 FROM rolled)",
    "(SELECT max(position) FROM rolled)",
    "(SELECT count(*) FROM system.tables)", "CASE WHEN 1 = 1 THEN read_text('/etc/passwd') END",
    "count(*) OVER (GROUPS 1 PRECEDING)", "count(*) OVER w", "first(user_id)", "any_value(user_id)",
)  # fmt: skip
STATEMENTS = (
    "SELECT (1, 2)", "SELECT (event_id, user_id) FROM events", "SELECT INTERVAL 1 DAY",
    "SELECT CAST(timestamp AS DATE) FROM events",
    "DROP TABLE events", "DELETE FROM events", "UPDATE events SET user_id = 'x'", "TRUNCATE events",
    "INSERT INTO events SELECT * FROM events", "CREATE TABLE t AS SELECT 1",
    "CREATE VIEW v AS SELECT 1",
    "CREATE MACRO m(a) AS a", "CREATE FUNCTION f AS (a) -> a",
    "ALTER TABLE events DROP COLUMN user_id",
    "COPY events TO '/srv/x.csv'", "COPY (SELECT 1) TO '/srv/x'", "EXPORT DATABASE '/srv/x'",
    "IMPORT DATABASE '/srv/x'", "ATTACH '/srv/x.db' AS x", "DETACH x", "USE main", "PRAGMA version",
    "PRAGMA database_list", "SET memory_limit = '1TB'", "SET VARIABLE a = 1", "RESET memory_limit",
    "INSTALL httpfs", "LOAD httpfs", "CALL pragma_version()", "CHECKPOINT", "VACUUM", "ANALYZE",
    "EXPLAIN SELECT 1", "EXPLAIN ANALYZE SELECT 1", "DESCRIBE events", "SHOW TABLES",
    "SHOW CREATE TABLE events",
    "SUMMARIZE events", "KILL QUERY WHERE 1", "SYSTEM SHUTDOWN", "OPTIMIZE TABLE events FINAL",
    "GRANT ALL ON * TO x",
    "BEGIN", "COMMIT", "PREPARE p AS SELECT 1", "EXECUTE p", "VALUES (1)",
    "SELECT 1; SELECT 2", "SELECT 1; DROP TABLE events", "SELECT 1;;; DROP TABLE events --",
    "SELECT 1 /* ; */ ; DELETE FROM events", "SELECT * FROM events SETTINGS readonly = 0",
    "SELECT * FROM events FORMAT JSON", "SELECT * FROM events INTO OUTFILE '/srv/x'",
    "SELECT 1 INTO t",
    "SELECT 1 FOR UPDATE", "SELECT /*+ SET_VAR(x=1) */ 1 FROM events PREWHERE 1",
    "SELECT DISTINCT ON (user_id) 1 FROM events",
    "SELECT TOP 1 * FROM events", "SELECT * FROM events LIMIT 1 BY user_id",
    "SELECT * FROM events LIMIT (SELECT 1)",
    "SELECT * FROM events LIMIT 10%", "SELECT 1 QUALIFY row_number() OVER () = 1",
    "SELECT 1 WINDOW w AS ()",
    "SELECT count(*) FROM events GROUP BY ROLLUP (user_id)",
    "SELECT count(*) FROM events GROUP BY CUBE (user_id)",
    "SELECT count(*) FROM events GROUP BY GROUPING SETS ((user_id))",
    "SELECT 1 UNION BY NAME SELECT 1",
    "WITH events AS (SELECT 1 AS a) SELECT * FROM events",
    "WITH customers AS (SELECT 1) SELECT 1 FROM customers",
    "WITH RECURSIVE r AS (SELECT 1 AS n UNION ALL SELECT n + 1 FROM r) SELECT * FROM r",
    "WITH r AS MATERIALIZED (SELECT 1 AS a) SELECT * FROM r",
    "WITH x AS (DELETE FROM events RETURNING *) SELECT * FROM x",
    "SELECT * FROM (WITH rolled AS (SELECT 1 AS a) SELECT * FROM rolled) AS x, rolled",
    "SELECT 1 AS \"a\\\" FROM system.tables --\"", "SELECT 1 AS \"a\"\"b\"",
    "SELECT \"x\\\".\"y\" FROM events",
    "SELECT * FROM events WHERE user_id = 'a' OR tenant <> 'x'", "SELECT e.tenant FROM events AS e",
    "SELECT * FROM events AS e JOIN main.events AS f ON true",
    "SELECT 'a' FROM events WHERE 1 = 1) --",
    "SELECT (" + "(" * 200 + "1" + ")" * 200 + ")", "SELECT " + "NOT " * 3000 + "true",
    "SELECT " + "-" * 3001 + "1",
    "SELECT " + " + ".join(["1"] * 4000), "SELECT 'unclosed", "SELECT /* unclosed", "\x00",
    "SELECT \x00",
    "--", "/* */", ";", "SELECT", "SELECT * FROM", "🦆", "SELECT 1 FROM events e, events e",
)  # fmt: skip
REFUSED = [
    *(f"SELECT * FROM {target}" for target in ELSEWHERE),
    *(f"SELECT {called} FROM events" for called in CALLED),
    *STATEMENTS,
]
ANSWERED = (
    "SELECT timestamp - timestamp FROM events", "SELECT NULL, NULL IS NULL, NOT NULL",
    "SELECT max(timestamp) - INTERVAL 1 DAY, sum(priority), sum(1.5), avg(2) FROM events",
    "SELECT payload -> 'k', payload -> 'a' -> 'b' ->> 'c' FROM events",
    "TABLE events", "FROM events", "SELECT * FROM (FROM events) AS e", "SELECT * FROM events FINAL",
    "SELECT * FROM events", "SELECT * FROM \"events\"", "SELECT * FROM EVENTS",
    "SELECT e.* FROM events AS e",
    "SELECT * FROM events -- WHERE", "SELECT * FROM events /* ' */ WHERE 1 = 1 OR 1 = 1",
    "SELECT * FROM events WHERE user_id = '' OR 'a' = 'a'", "SELECT * FROM customers",
    "SELECT * FROM events AS a CROSS JOIN events AS b", "SELECT * FROM events AS rolled",
    "SELECT * FROM customers AS events", "SELECT * FROM events AS customers, customers AS events",
    "SELECT * FROM events AS e LEFT JOIN customers AS c ON true",
    "SELECT * FROM events UNION ALL SELECT * FROM events",
    "SELECT * FROM events WHERE user_id IN (SELECT user_id FROM customers)",
    "SELECT (SELECT max(payload ->> 'k') FROM events) AS m, (SELECT max(user_id) FROM events) AS n",
    "SELECT * FROM events e WHERE EXISTS (SELECT 1 FROM events o WHERE o.user_id <> e.source)",
    "WITH a AS (SELECT * FROM events), b AS (SELECT * FROM a) SELECT * FROM b",
    "WITH rolled AS (SELECT * FROM events) SELECT * FROM rolled",
    "WITH a AS (WITH b AS (SELECT * FROM events) SELECT * FROM b) SELECT * FROM a AS b",
    "SELECT * FROM (SELECT * FROM (SELECT * FROM events) AS x) AS y",
    "SELECT max(user_id), max(event_type) FROM events",
    "SELECT '{tenant:String}', '$tenant', '''; DROP TABLE events; --' FROM events",
    "SELECT event_id AS tenant, 'env_other' AS v0 FROM events WHERE event_id > ''",
    "SELECT * FROM events FULL JOIN customers USING (user_id)",
    "SELECT * FROM events EXCEPT SELECT * FROM events LIMIT 0",
    "SELECT lag(payload) OVER (ORDER BY timestamp), max(payload) OVER () FROM events",
    "SELECT event_id FROM events ORDER BY event_id DESC LIMIT 1000000000 OFFSET 0",
)  # fmt: skip


@pytest.fixture(scope="module")
def door():
    """A port of this machine where somebody would notice a call."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        listening.setblocking(False)
        yield listening
        with pytest.raises(BlockingIOError):
            listening.accept()


@pytest.fixture(scope="module", params=["duckdb", "clickhouse"])
def ask(request, tmp_path_factory):
    with asyncio.Runner() as runner:
        opening = STORES[request.param](tmp_path_factory.mktemp("store"))
        store = runner.run(opening.__aenter__())
        runner.run(migrate(store))
        for tenant, word in (("env_other", MARK), (TENANT, "mine")):
            runner.run(put(store, [event(n, word) for n in range(3)], tenant=tenant))
        questions = Questions(store, AStream(), AnswerCache(0), Settings(query_timeout=5))
        yield lambda query: runner.run(answer(questions, query))
        [counted] = runner.run(store.fetch(Statement("rows_between", {"after": 0, "until": 2**62})))
        assert counted["rows"][0].as_py() == 6
        runner.run(opening.__aexit__(None, None, None))


def event(number: int, word: str):
    kind = "customer.profile" if number == 0 else word
    return an_event(f"{word}{number}", user_id=word, event_type=kind, payload={"k": word})


async def answer(questions: Questions, query: str) -> str:
    body = json.dumps({"query": query}).encode()
    return (await questions.sql(TENANT, read_sql(body, NOW))).document.decode()


def test_there_are_more_than_two_hundred():
    assert len({*REFUSED, *ANSWERED}) > 200


@pytest.mark.parametrize("query", REFUSED)
def test_it_is_refused_with_a_reason(ask, door, query):
    with pytest.raises(InvalidInput) as error:
        ask(query.replace("{port}", str(door.getsockname()[1])))
    assert MARK not in str(error.value)
    assert 5 < len(str(error.value)) < 500


@pytest.mark.parametrize("query", ANSWERED)
def test_it_is_answered_from_the_own_rows(ask, query):
    found = ask(query)
    assert MARK not in found
    assert "columns" in found


@pytest.mark.parametrize(
    ("query", "error", "where"),
    [
        ("SELECT a,\n  nope FROM events", InvalidSql, "line 1, column 8: "),
        ("SELECT 1,\n  getenv('A')", SqlNotAllowed, "line 2, column 3: "),
        ("SELECT *\nFROM read_csv('x')", SqlNotAllowed, "line 2, column 6: "),
        ("SELECT *\nFROM events\nJOIN rolled ON true", SqlNotAllowed, "line 3, column 6: "),
        ("SELECT count(* FROM events", InvalidSql, "line 1, column "),
        ("SELECT timestamp > '2026-99-99' FROM events", InvalidSql, "line 1, column 20: "),
    ],
)
def test_it_is_told_where(ask, query, error, where):
    with pytest.raises(error) as told:
        ask(query)
    assert str(told.value).startswith(where)


def test_a_bomb_of_joins_ends_at_the_cap(ask):
    joined = " CROSS JOIN ".join(f"events AS e{n}" for n in range(30))
    with pytest.raises(QuestionTooBig):
        ask(f"SELECT count(DISTINCT e1.event_id || e29.event_id) FROM {joined}")
    assert MARK not in ask("SELECT * FROM events")
