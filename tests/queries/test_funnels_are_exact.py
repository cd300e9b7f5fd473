"""Whatever a funnel asks, its answer is what following one user after the other gives."""

import asyncio
import json
from itertools import count

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.migrate import migrate
from service.query.buckets import moment
from service.query.catalog import HOUR, INTERVALS, MINUTE, SECOND
from service.query.journeys.kinds import KINDS
from tests.building import an_event
from tests.queries.naive_journeys import Funnel
from tests.queries.test_answers_are_exact import Asked, ranges, tell
from tests.queries.test_queries_are_exact import compared, filters, forty_stories, objects, span
from tests.stores import STORES

TYPES = ("view", "cart", "buy", "päge")
WINDOWS = {"1s": SECOND, "5m": 5 * MINUTE, "1h": HOUR, "7d": 168 * HOUR}


@pytest.fixture(scope="module", params=["duckdb", "clickhouse"])
def asked(request, tmp_path_factory):
    with asyncio.Runner() as runner:
        opening = STORES[request.param](tmp_path_factory.mktemp("store"))
        asked = Asked(runner.run(opening.__aenter__()))
        runner.run(migrate(asked.store))
        asked.run = runner.run
        yield asked
        runner.run(opening.__aexit__(None, None, None))


@st.composite
def histories(draw, start, end, window):
    """Events of few users, many of them as far from each other as a window is long, or half."""
    number = iter(count())
    near = [start - 1, start, start + 1, end - 1, end, end + 1]
    far = draw(st.sampled_from([window // 2, window // 5, (end - start) // 7 + 1]))
    grid = [start + n * far for n in range(-1, 8)]
    event = st.builds(
        lambda at, **fields: an_event(f"e{next(number)}", timestamp=moment(at), **fields),
        st.sampled_from(near + 2 * grid),
        user_id=st.sampled_from(["ada", "bob", "žofie", ""]),
        session_id=st.sampled_from(["s", "t", ""]),
        event_type=st.sampled_from([*TYPES, "customer.profile"]),
        payload=objects(),
    )
    batches = st.lists(event, min_size=10, max_size=40)
    return draw(st.lists(st.tuples(batches, st.sampled_from(["", "roll"])), max_size=3))


def steps():
    kind, some = st.sampled_from(TYPES), st.lists(filters(), max_size=2)
    return st.fixed_dictionaries({"event": kind}, optional={"filters": some}) | (
        st.fixed_dictionaries({"filters": st.lists(filters(), min_size=1, max_size=2)})
    )


@st.composite
def funnels(draw, start, end):
    plain = st.fixed_dictionaries({"event": st.sampled_from(TYPES)})
    names = ["eventType", "source", "payload.price", "payload.a", "time", "priority"]
    asked = {
        "steps": draw(
            st.lists(plain, min_size=2, max_size=4) | st.lists(steps(), min_size=2, max_size=4)
        ),
        "window": draw(st.sampled_from(sorted(WINDOWS))),
        "dimensions": draw(st.lists(st.sampled_from(names), max_size=2, unique=True)),
        "filters": draw(st.just([]) | st.lists(filters(), max_size=1)),
        "percentiles": draw(st.lists(st.sampled_from([1, 50, 90]), max_size=3, unique=True)),
        "limit": draw(st.integers(1, 4)),
        "totals": draw(st.booleans()),
        "range": span(start, end),
    }
    if "time" in asked["dimensions"]:
        fitting = [n for n, length in INTERVALS.items() if (end - start) / length <= 20]
        asked["interval"] = draw(st.sampled_from(fitting))
    return asked


@pytest.mark.timeout(300)
@forty_stories
@given(st.data())
def test_a_funnel_of_any_events(asked, data):
    zone, start, end = data.draw(ranges())
    funnel = {**data.draw(funnels(start, end)), "tz": zone}
    compare, before = data.draw(compared(start, end))
    window = WINDOWS[funnel["window"]]
    history = data.draw(histories(start, end, window))
    tenant = next(asked.tenants)
    events = asked.run(tell(asked, tenant, history))
    answer = ask(asked, "funnel", tenant, funnel | compare)
    length = INTERVALS.get(funnel.get("interval"), 0)
    naive = Funnel(events, funnel, window, length)
    expected = naive.answer((start, end), before)
    assert {name: answer.get(name) for name in expected} == expected


def ask(asked: Asked, kind: str, tenant: str, document: dict) -> dict:
    question = KINDS[kind](json.dumps(document).encode(), 0)
    served = asked.run(asked.questions.journey(tenant, question))
    return msgspec.json.decode(served.document)
