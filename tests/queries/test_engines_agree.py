"""Two engines, one truth: the same events give the same document, byte for byte."""

import asyncio
import re
from collections.abc import Iterator
from contextlib import AsyncExitStack
from datetime import UTC, datetime, timedelta
from itertools import count, islice, product
from pathlib import Path

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from service.events import Event
from service.migrate import Migratable, migrate
from service.query.cache import AnswerCache
from service.query.parameters import parse_metrics, parse_numbers
from service.query.run import Questions
from service.recordings import recording
from service.settings import Settings
from tests.building import NOON, TENANT, an_event
from tests.stores import STORES
from tests.storing import AStream, put

NOW = int(NOON.timestamp() * 1000)
FLIGHTS = 20_000
AMONG_FLIGHTS = int(datetime(2013, 1, 8, 17, 3, 20, tzinfo=UTC).timestamp() * 1000)
RANGES = ("15m", "1h", "24h", "7d")
FILTERS = ({}, {"eventType": "departed"}, {"userId": "A"}, {"userId": "U", "eventType": "arrived"})


class Both:
    """A store of each engine with the same events."""

    def __init__(self, clickhouse: str, folder: Path) -> None:
        self._runner = asyncio.Runner()
        self.run = self._runner.run
        self._open = AsyncExitStack()
        self.stores = [self.run(self._opened(name, folder)) for name in ("duckdb", clickhouse)]
        self.tenants = (f"env_{n}" for n in count())

    async def _opened(self, name: str, folder: Path) -> Migratable:
        store = await self._open.enter_async_context(STORES[name](folder))
        await migrate(store)
        return store

    def close(self) -> None:
        self.run(self._open.aclose())
        self._runner.close()

    def put(self, events: list[Event], tenant: str = TENANT) -> None:
        for store in self.stores:
            self.run(put(store, events, tenant=tenant))

    def ask(self, question: str, parameters, tenant: str = TENANT) -> bytes:
        """The document that all of them give."""
        given = [self.run(_asked(store, question, tenant, parameters)) for store in self.stores]
        first, *others = given
        assert others == [first] * len(others)
        return first


async def _asked(store: Migratable, question: str, tenant: str, parameters) -> bytes:
    questions = Questions(store, AStream(), AnswerCache(0), Settings())
    return (await getattr(questions, question)(tenant, parameters)).document


@pytest.fixture(scope="module", params=["clickhouse", "clickhouse over http"])
def both(request, tmp_path_factory) -> Iterator[Both]:
    both = Both(request.param, tmp_path_factory.mktemp("stores"))
    both.put(flights(FLIGHTS))
    yield both
    both.close()


def flights(most: int) -> list[Event]:
    """The first of the recorded flights."""
    return [as_event(r.fields) for r in islice(recording("flights-2013").records(), most)]


def as_event(fields: dict) -> Event:
    """An event in the words of the API as one of ours."""
    return msgspec.convert({_named(key): value for key, value in fields.items()}, Event)


def _named(key: str) -> str:
    return re.sub("([A-Z])", r"_\1", key).lower()


@pytest.mark.parametrize(("name", "filters"), [*product(RANGES, FILTERS)])
def test_metrics_of_the_recorded_flights(both, name, filters):
    raw = {"timeRange": name, "tz": "America/New_York", "limit": "20", **filters}
    document = both.ask("metrics", parse_metrics(raw, AMONG_FLIGHTS))
    assert name == "15m" or msgspec.json.decode(document)["totalEvents"] > 0


@pytest.mark.parametrize("by", ["none", "eventType", "userId"])
@pytest.mark.parametrize("name", ["dep_delay", "arr_delay", "distance", "none of that name"])
def test_numbers_of_the_recorded_flights(both, by, name):
    raw = {"name": name, "by": by, "timeRange": "7d"}
    document = both.ask("numbers", parse_numbers(raw, AMONG_FLIGHTS))
    assert bool(msgspec.json.decode(document)["rows"]) == (name != "none of that name")


@pytest.mark.parametrize("name", RANGES)
def test_metrics_of_nothing(both, name):
    document = both.ask("metrics", parse_metrics({"timeRange": name}, NOW), "env_nobody")
    assert msgspec.json.decode(document)["totalEvents"] == 0


cents = st.integers(-(10**9), 10**9).map(lambda n: n / 100)
events = st.builds(
    lambda ms, user, kind, session, price: {
        "timestamp": NOON + timedelta(milliseconds=ms),
        "user_id": user,
        "event_type": kind,
        "session_id": session,
        "payload": {"price": price},
    },
    st.integers(-8 * 86_400_000, 3_600_000),
    st.sampled_from(["ada", "Ada", "žofie", "a%", "你好", "😀", "'; --"]) | st.text(),
    st.sampled_from(["click", "päge", "CLICK", "a\\b"]),
    st.sampled_from([*"stu", ""]),
    cents | st.integers(-(2**40), 2**40),
)


@settings(max_examples=30)
@given(
    history=st.lists(events, max_size=40),
    name=st.sampled_from(RANGES),
    by=st.sampled_from(["none", "eventType", "userId"]),
    filters=st.fixed_dictionaries({}, optional={"userId": st.sampled_from("a%ž'\\")}),
    limit=st.integers(1, 5),
)
def test_random_events(both, history, name, by, filters, limit):
    tenant = next(both.tenants)
    if history:
        both.put([an_event(f"e{n}", **fields) for n, fields in enumerate(history)], tenant)
    raw = {"timeRange": name, "limit": str(limit), **filters}
    both.ask("metrics", parse_metrics(raw, NOW), tenant)
    both.ask("numbers", parse_numbers({"name": "price", "by": by, **raw}, NOW), tenant)
