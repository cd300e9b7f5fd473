"""Whatever a query asks, its answer is what looking at one event after the other gives."""

import asyncio
import json
from datetime import UTC, datetime, timedelta
from itertools import count

import msgspec
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from service.migrate import migrate
from service.query.buckets import moment
from service.query.catalog import DAY, HOUR, INTERVALS, MINUTE
from service.query.language.reading import read_question
from tests.building import an_event
from tests.queries.naive_query import naive_query
from tests.queries.test_answers_are_exact import Asked, iso, ranges, tell
from tests.stores import STORES

TEXTS = ("ada", "Ada", "a%a", "a_a", "a\\a", "žofie", "ab'; --", 'q"t', "5", "true", "")
NUMBERS = (0, -0.0, 1, 1.0, -2.5, 5, 0.25, 1e22, 2**53 + 1, 2**63, -(2**63))
LONG = 10**30
VALUES = st.sampled_from(
    [*TEXTS, *NUMBERS, LONG, str(LONG), True, False, None, [], ["ada"], {}, {"b": 1}]
)
KEYS = ("price", "a", "a.b", "*", "", "0", 'x"y', "b\\c", "$", "/d", "é")
METRICS = ("events", "users", "sessions", "events_per_user", "rate")
FIELDS = ("eventType", "userId", "sessionId", "source", "priority", "payload.price", "payload.a")
PATHS = ("payload.a.b", 'payload."a.b"', "payload.*", "payload.0", "payload.$", "payload./d")
MORE = ("payload.é", "payload.a.0", "metadata.source", "metadata.a", "payload.none", 'payload.""')
KNOWN = ("customer.price", "customer.a", "customer.a.b", "customer.é")
forty_stories = settings(max_examples=40, phases=[Phase.generate])
OF_NUMBERS = ("priority", "payload.price", "payload.a.b", "metadata.a", "customer.price")


@pytest.fixture(scope="module", params=["duckdb", "clickhouse"])
def asked(request, tmp_path_factory):
    with asyncio.Runner() as runner:
        opening = STORES[request.param](tmp_path_factory.mktemp("store"))
        asked = Asked(runner.run(opening.__aenter__()))
        runner.run(migrate(asked.store))
        asked.run = runner.run
        yield asked
        runner.run(opening.__aexit__(None, None, None))


def objects():
    inner = st.dictionaries(st.sampled_from(["b", "0", "a"]), VALUES, max_size=2)
    return st.dictionaries(st.sampled_from(KEYS), VALUES | inner, max_size=4)


@st.composite
def histories(draw, start, end):
    number = iter(count())
    event = st.builds(
        lambda at, **fields: an_event(
            f"e{next(number)}",
            timestamp=datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=at),
            **fields,
        ),
        st.integers(start - MINUTE, end + MINUTE)
        | st.sampled_from([start - 1, start, end - 1, end]),
        user_id=st.sampled_from(TEXTS),
        event_type=st.sampled_from(("click", "view", "CLICK", "päge", "customer.profile")),
        session_id=st.sampled_from([*"stu", ""]),
        priority=st.integers(1, 3),
        payload=objects(),
        metadata=objects() | st.fixed_dictionaries({"source": st.sampled_from(["web", "", 3])}),
    )
    batches = st.lists(event, min_size=1, max_size=10)
    return draw(st.lists(st.tuples(batches, st.sampled_from(["", "roll", "merge"])), max_size=4))


def fields():
    return st.sampled_from([*FIELDS, *PATHS, *MORE, *KNOWN])


def leaves():
    text = st.sampled_from([t for t in TEXTS if t] + ["a", "%", "_", "\\", "'", '"'])
    values = st.sampled_from([*TEXTS, str(LONG), True, False, None]) | st.sampled_from(NUMBERS)
    return (
        st.fixed_dictionaries({"op": st.just("exists"), "field": fields()})
        | leaf(("is", "is_not"), fields(), value=values)
        | leaf(("in", "not_in"), fields(), values=st.lists(values, min_size=1, max_size=4))
        | leaf(("contains", "starts_with"), fields(), value=text)
        | leaf(("gt", "gte", "lt", "lte"), fields(), value=st.sampled_from(NUMBERS))
    ).filter(fits)


def leaf(ops, field, **rest):
    return st.fixed_dictionaries({"op": st.sampled_from(ops), "field": field, **rest})


def fits(found) -> bool:
    """Whether a column is compared with what it can hold: the rest is refused."""
    op, field = found["op"], found["field"]
    if "." in field or op == "exists":
        return True
    is_number = field == "priority"
    values = found.get("values", [found.get("value")])
    if op in {"gt", "gte", "lt", "lte"} or op in {"contains", "starts_with"}:
        return is_number == (op in {"gt", "gte", "lt", "lte"})
    kinds = (int, float) if is_number else (str,)
    return all(v is None or (isinstance(v, kinds) and v not in {True, False, ""}) for v in values)


def filters():
    return st.recursive(
        leaves(),
        lambda inner: (
            st.fixed_dictionaries(
                {
                    "op": st.sampled_from(["and", "or"]),
                    "filters": st.lists(inner, min_size=1, max_size=3),
                }
            )
            | st.fixed_dictionaries({"op": st.just("not"), "filter": inner})
        ),
        max_leaves=4,
    )


@st.composite
def queries(draw, start, end):
    of_number = st.builds(
        "{}({})".format,
        st.sampled_from(["count", "sum", "avg", "min", "max", "p50", "p95", "p1"]),
        st.sampled_from(OF_NUMBERS),
    )
    metrics = draw(
        st.lists(st.sampled_from(METRICS) | of_number, min_size=1, max_size=4, unique=True)
        | st.just(["events"])
    )
    dimensions = draw(
        st.lists(fields() | st.just("time"), max_size=3, unique=True)
        | st.sampled_from([["time"], ["time", "eventType"], ["eventType"]])
    )
    query = {"metrics": metrics, "dimensions": dimensions, "range": span(start, end)}
    if "time" in dimensions:
        fitting = [n for n, length in INTERVALS.items() if (end - start) / length <= 40]
        query["interval"] = draw(st.sampled_from(fitting))
    grouped = [d for d in dimensions if d != "time"]
    names = [*metrics, *dimensions] if grouped else [d for d in dimensions if d == "time"]
    if names and draw(st.booleans()):
        chosen = draw(st.lists(st.sampled_from(names), max_size=3, unique=True))
        query["order"] = [draw(st.sampled_from(["", "-"])) + name for name in chosen]
    by_type = leaf(("is", "is_not"), st.just("eventType"), value=st.sampled_from(["click", "view"]))
    query["filters"] = draw(st.lists(filters(), max_size=2) | st.lists(by_type, max_size=1))
    query["limit"] = draw(st.integers(1, 4) | st.just(100))
    query["totals"], query["other"] = draw(st.booleans()), bool(grouped) and draw(st.booleans())
    return query


def span(start: int, end: int) -> dict[str, str]:
    return {"start": iso(start), "end": iso(end)}


@st.composite
def compared(draw, start, end):
    """What a query is compared with, and its range."""
    other = draw(st.sampled_from([start, start - DAY, start + 7 * MINUTE - HOUR]))
    length = draw(st.sampled_from([end - start, HOUR, 61 * MINUTE]))
    return draw(
        st.sampled_from(
            [
                ({}, None),
                ({"compare": "previous"}, (2 * start - end, start)),
                ({"compare": span(other, other + length)}, (other, other + length)),
            ]
        )
    )


@pytest.mark.timeout(300)
@forty_stories
@given(st.data())
def test_a_query_about_any_events(asked, data):
    zone, start, end = data.draw(ranges())
    query = {**data.draw(queries(start, end)), "tz": zone}
    compare, before = data.draw(compared(start, end))
    history = data.draw(histories(start, end))
    tenant = next(asked.tenants)
    events = asked.run(tell(asked, tenant, history))
    answer = ask(asked, tenant, query | compare)
    expected = naive_query(
        events, query, (start, end), before, INTERVALS.get(query.get("interval"), 0)
    )
    assert {name: answer.get(name) for name in expected} == expected


@pytest.mark.timeout(300)
@forty_stories
@given(st.data())
def test_counts_from_whole_minutes_and_what_is_beside_them(asked, data):
    minute = 29_000_000 * MINUTE + data.draw(st.sampled_from([0, 1, MINUTE - 1]))
    start, end = minute, minute + data.draw(st.sampled_from([1, MINUTE, 3 * MINUTE, 190_001]))
    moments = [m + shift for m in (start, end) for shift in (-MINUTE, -1, 0, 1, MINUTE)]
    kinds = st.sampled_from(["click", "view"])
    number = iter(count())
    event = st.builds(
        lambda at, kind: an_event(f"e{next(number)}", timestamp=moment(at), event_type=kind),
        st.sampled_from([m // MINUTE * MINUTE for m in moments] + moments),
        kinds,
    )
    batches = st.lists(event, min_size=5, max_size=20)
    history = [
        (data.draw(batches), "roll"),
        (data.draw(batches), data.draw(st.sampled_from(["", "roll"]))),
    ]
    query = {
        "metrics": ["events", "rate"],
        "dimensions": data.draw(
            st.sampled_from([[], ["time"], ["eventType"], ["time", "eventType"]])
        ),
        "filters": data.draw(
            st.lists(leaf(("is", "is_not"), st.just("eventType"), value=kinds), max_size=1)
        ),
        "range": span(start, end),
        "totals": True,
    }
    if "time" in query["dimensions"]:
        query["interval"] = data.draw(st.sampled_from(["1m", "10s", "5m"]))
    tenant = next(asked.tenants)
    events = asked.run(tell(asked, tenant, history))
    length = INTERVALS.get(query.get("interval"), 0)
    expected = naive_query(events, query, (start, end), None, length)
    answer = ask(asked, tenant, query)
    assert {name: answer.get(name) for name in expected} == expected


def ask(asked: Asked, tenant: str, query: dict) -> dict:
    question = read_question(json.dumps(query).encode(), 0)
    served = asked.run(asked.questions.query(tenant, question))
    answer = msgspec.json.decode(served.document)
    return {**answer, "more": answer["cursor"] is not None}
