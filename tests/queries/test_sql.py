"""SQL that users write, on both engines: the same answers, of their own rows alone."""

import asyncio
import json
from pathlib import Path

import pytest

from service.errors import InvalidInput, InvalidSql, QuestionTooBig
from service.migrate import migrate
from service.query.cache import AnswerCache
from service.query.run import Questions
from service.query.sql.functions import NAMES
from service.query.sql.reading import read_sql
from service.settings import Settings
from tests.building import NOON, TENANT, an_event
from tests.stores import STORES
from tests.storing import AStream, put

NOW = int(NOON.timestamp() * 1000) + 7_200_000
DAY = NOON.date().isoformat()


def events():
    return [
        an_event("e1", user_id="ada", payload={"price": 1.5, "cart": {"total": 3}, "tag": "a"}),
        an_event("e2", after=60, user_id="bob", session_id="s2", payload={"price": 2.5}),
        an_event(
            "e3", after=3600, user_id="ada", event_type="buy", payload={"price": 4, "tag": "Ä"}
        ),
        an_event("e4", after=3660, user_id="", event_type="buy", payload={"price": "n/a"}),
        an_event("c1", user_id="ada", event_type="customer.profile", payload={"country": "DE"}),
    ]


def foreign():
    return [
        an_event("x1", user_id="not-a-number", event_type="secret", payload={"price": 1e9}),
        an_event("x2", user_id="mallory", event_type="customer.profile", payload={"country": "XX"}),
    ]


@pytest.fixture(scope="module", params=list(STORES))
def ask(request, tmp_path_factory):
    with asyncio.Runner() as runner:
        opening = STORES[request.param](tmp_path_factory.mktemp("store"))
        store = runner.run(opening.__aenter__())
        runner.run(migrate(store))
        runner.run(put(store, foreign(), tenant="env_other"))
        runner.run(put(store, events()))
        questions = Questions(store, AStream(), AnswerCache(0), Settings(query_timeout=3))
        yield lambda query, **named: runner.run(answered(questions, query, **named))
        runner.run(opening.__aexit__(None, None, None))


async def answered(questions, query: str, limit: int = 1000, **parameters) -> dict:
    body = {"query": query, "parameters": parameters, "limit": limit}
    served = await questions.sql(TENANT, read_sql(json.dumps(body).encode(), NOW))
    return {**json.loads(served.document), "cost": served.cost}


FOUND = [
    ("SELECT count(*) FROM events", [[5]]),
    ("SELECT count(DISTINCT user_id), count(user_id) FROM events", [[2, 4]]),
    (
        "SELECT event_type AS kind, count(*) AS n FROM events WHERE event_type IN ('buy', 'click')"
        " GROUP BY kind ORDER BY n DESC, kind",
        [["buy", 2], ["click", 2]],
    ),
    (
        "SELECT sum(CAST(payload ->> 'price' AS DOUBLE)) FROM events WHERE event_type = 'buy'",
        [[4.0]],
    ),
    (
        "SELECT payload ->> '$.cart.total', payload ->> 'tag', payload -> 'cart' FROM events"
        " WHERE event_id = 'e1'",
        [["3", "a", '{"total":3}']],
    ),
    ("SELECT payload ->> 'nothing' FROM events WHERE event_id = 'e1'", [[None]]),
    (
        "SELECT date_trunc('hour', timestamp) AS h, count(*) FROM events GROUP BY h ORDER BY 1",
        [[f"{DAY}T12:00:00Z", 3], [f"{DAY}T13:00:00Z", 2]],
    ),
    (f"SELECT event_id FROM events WHERE timestamp >= '{DAY}T13:00:30Z'", [["e4"]]),
    (f"SELECT count(*) FROM events WHERE timestamp < TIMESTAMP '{DAY}'", [[0]]),
    ("SELECT count(*) FROM events WHERE timestamp > now() - INTERVAL 2 HOURS", [[3]]),
    (
        "SELECT extract(hour FROM timestamp), extract(dow FROM timestamp) FROM events"
        " WHERE event_id = 'e1'",
        [[12, NOON.isoweekday() % 7]],
    ),
    (
        "SELECT date_diff('minute', min(timestamp), max(timestamp)) FROM events",
        [[61]],
    ),
    (
        "WITH buys AS (SELECT user_id FROM events WHERE event_type = 'buy')"
        " SELECT e.event_id FROM events e JOIN buys b ON e.user_id = b.user_id"
        " WHERE e.event_type = 'click'",
        [["e1"]],
    ),
    (
        "SELECT c.profile ->> 'country' AS country, count(*) AS n FROM events e"
        " LEFT JOIN customers c USING (user_id) GROUP BY country ORDER BY n DESC, country",
        [["DE", 3], [None, 2]],
    ),
    ("SELECT user_id, profile FROM customers", [["ada", '{"country":"DE"}']]),
    (
        "SELECT event_id, row_number() OVER (PARTITION BY source ORDER BY timestamp, event_id) AS n"
        " FROM events WHERE user_id = 'ada' ORDER BY n",
        [["c1", 1], ["e1", 2], ["e3", 3]],
    ),
    (
        "SELECT median(n), quantile_cont(n, 0.5), avg(n), min(n), max(n), stddev(n), variance(n)"
        " FROM (SELECT TRY_CAST(payload ->> 'price' AS DOUBLE) AS n FROM events) AS prices",
        [[2.5, 2.5, 8 / 3, 1.5, 4.0, pytest.approx(1.2583057392), pytest.approx(1.58333333)]],
    ),
    (
        "SELECT count(*) FILTER (WHERE user_id = 'ada'), count_if(user_id = 'bob'),"
        " arg_max(event_id, timestamp), arg_min(event_id, timestamp) FROM events"
        " WHERE event_type <> 'customer.profile'",
        [[2, 1, "e4", "e1"]],
    ),
    (
        "SELECT lower('ÄB'), upper('äb'), length('äb'), trim(' a '), substring('abcd', 2, 2),"
        " replace('aXa', 'X', 'b'), starts_with('abc', 'ab'), strpos('abc', 'c'),"
        " regexp_matches('abc', 'b.'), 'a' || 'b'",
        [["äb", "ÄB", 2, "a", "bc", "aba", True, 3, True, "ab"]],
    ),
    (
        "SELECT abs(-2), round(2.345, 1), floor(2.5), ceil(2.5), sqrt(9.0), ln(1.0), exp(0.0),"
        " greatest(1, 3), least(1, 3), coalesce(NULL, 5), nullif(1, 1), 7 / 2, 7 % 4, 1 / 0, 1 % 0",
        [[2, 2.3, 2, 3, 3, 0, 1, 3, 1, 5, None, 3.5, 3, None, None]],
    ),
    ("SELECT CASE WHEN 1 = 2 THEN 'a' ELSE 'b' END, 'x' LIKE '_', 'A' ILIKE 'a%', NULL IS NULL",
     [["b", True, True, True]]),
    ("SELECT 'it''s', 'a\\', 'a\\'' OR 1=1', '{x:String}', '$v0', '/* */ --'",
     [["it's", "a\\", "a\\' OR 1=1", "{x:String}", "$v0", "/* */ --"]]),
    ("SELECT count(*) FROM events WHERE event_id IN ('e1', 'x1')", [[1]]),
    ("SELECT count(*) FROM events WHERE priority BETWEEN 1 AND 10", [[5]]),
    ("SELECT event_id FROM events WHERE user_id IS NULL", [["e4"]]),
    ("SELECT 1 AS a UNION SELECT 1 UNION ALL SELECT 2 ORDER BY a", [[1], [2]]),
    ("SELECT CAST('5' AS BIGINT), CAST('x' AS BIGINT), CAST(5 AS VARCHAR), CAST('true' AS BOOLEAN)",
     [[5, None, "5", True]]),
    ("SELECT sum(priority) FROM events WHERE event_type = 'none'", [[None]]),
    ("SELECT count(*) FROM events e WHERE EXISTS (SELECT 1 FROM customers c"
     " WHERE c.user_id = e.user_id)", [[3]]),
    ("SELECT rank() OVER (ORDER BY user_id) AS r, dense_rank() OVER (ORDER BY user_id) AS d,"
     " lag(event_id) OVER (ORDER BY event_id) AS b, lead(event_id) OVER (ORDER BY event_id) AS a,"
     " first_value(event_id) OVER (ORDER BY event_id) AS f,"
     " last_value(event_id) OVER (ORDER BY event_id) AS l"
     " FROM events WHERE user_id = 'ada' ORDER BY l",
     [[1, 1, None, "e1", "c1", "c1"], [1, 1, "c1", "e3", "c1", "e1"],
      [1, 1, "e1", None, "c1", "e3"]]),
]  # fmt: skip


@pytest.mark.parametrize(("query", "rows"), FOUND)
def test_the_answer_is_the_same_on_every_engine(ask, query, rows):
    assert ask(query)["rows"] == rows


def test_every_function_is_asked_here():
    asked = " ".join(query for query, _ in FOUND)
    assert [name for name in NAMES if f"{name}(" not in asked] == []


def test_every_function_is_documented():
    page = Path("docs/api-sql.md").read_text("utf-8")
    assert [name for name in NAMES if f"`{name}`" not in page] == []


def test_values_of_parameters_mean_themselves(ask):
    query = "SELECT $a, $b, $c, $d, count(*) FROM events WHERE user_id = $u AND timestamp > $t"
    given = {"a": "x' OR 1=1 --", "b": 5, "c": 2.5, "d": None, "u": "ada", "t": "2000-01-01"}
    assert ask(query, **given)["rows"] == [["x' OR 1=1 --", 5, 2.5, None, 3]]


def test_an_answer_ends_at_its_limit_and_says_so(ask):
    found = ask("SELECT event_id FROM events ORDER BY event_id", limit=2)
    assert (found["rows"], found["truncated"]) == ([["c1"], ["e1"]], True)
    assert ask("SELECT event_id FROM events LIMIT 2", limit=2)["truncated"] is False


def test_columns_are_told_with_what_they_hold(ask):
    query = (
        "SELECT event_id, priority, timestamp, 1.5 AS n, true AS t, event_id FROM events LIMIT 1"
    )
    told = {column["name"]: column["type"] for column in ask(query)["columns"]}
    assert told == {
        "event_id": "text", "priority": "whole", "timestamp": "time", "n": "number", "t": "truth",
        "event_id_2": "text",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("where", "rows"),
    [
        ("timestamp >= '{day}T12:30:00Z'", 2),
        ("timestamp < '{day}T12:00:00Z'", 0),
        ("timestamp <= '{day}T12:00:00Z' AND user_id = 'ada'", 2),
        ("'{day}T13:00:00Z' <= timestamp", 2),
        ("timestamp BETWEEN '{day}T12:01:00Z' AND '{day}T13:00:00Z'", 2),
        ("timestamp = TIMESTAMP '{day} 12:01:00'", 1),
        ("timestamp >= now() - INTERVAL 1 HOUR", 2),
        ("timestamp >= '{day}T13:00:00+01:00' AND timestamp < now() + INTERVAL 1 WEEK", 5),
        ("timestamp > '{day}T13:00:00Z' OR event_id = 'e1'", 2),
        ("NOT timestamp > '{day}T12:30:00Z'", 3),
    ],
)
def test_times_are_told_to_the_table_and_change_no_answer(ask, where, rows):
    assert ask(f"SELECT count(*) FROM events WHERE {where.format(day=DAY)}")["rows"] == [[rows]]


def test_what_is_asked_of_one_table_is_not_told_to_another(ask):
    query = (
        "SELECT count(*), count(b.event_id) FROM events a LEFT JOIN events b"
        " ON a.event_id = b.event_id AND b.timestamp > $t WHERE a.timestamp <= $t"
    )
    assert ask(query, t=f"{DAY}T12:30:00Z")["rows"] == [[3, 0]]


def test_what_was_read_is_told(ask):
    assert ask("SELECT payload FROM events")["cost"].rows >= 5


def test_rows_of_others_are_not_even_computed_on(ask):
    """A cast that fails on another tenant's row would tell that it is there."""
    query = "SELECT count(*) FROM events WHERE event_type = 'secret' AND user_id = 5 * 1"
    assert ask(query)["rows"] == [[0]]


def test_what_makes_no_sense_is_told_in_one_line(ask):
    with pytest.raises(InvalidSql) as error:
        ask("SELECT count(*) FROM events WHERE sum(priority) > 1")
    assert "\n" not in str(error.value)
    assert "tenant" not in str(error.value)


def test_a_query_that_takes_too_long_ends_and_the_next_one_is_answered(ask):
    joins = " ".join(f"CROSS JOIN events e{n}" for n in range(13))
    with pytest.raises(QuestionTooBig):
        ask(f"SELECT count(DISTINCT length(e1.event_id || e12.event_id || e.event_id))"
            f" FROM events e {joins}")  # fmt: skip
    assert ask("SELECT 1")["rows"] == [[1]]


def test_other_documents_are_refused():
    for body in (b"[]", b"{}", b'{"query": ""}', b'{"query": "SELECT 1", "limit": 0}', b"{"):
        with pytest.raises(InvalidInput):
            read_sql(body, NOW)
