"""Rolled up or not, merged or not: an answer is what counting one event after the other gives."""

import asyncio
from datetime import UTC, datetime, timedelta
from itertools import count
from zoneinfo import ZoneInfo

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from service.events import Event
from service.migrate import Migratable, migrate
from service.query.buckets import bucket_starts
from service.query.cache import AnswerCache
from service.query.catalog import DAY, INTERVALS, MINUTE, QUARTER, RANGES
from service.query.parameters import parse_metrics
from service.query.run import Questions
from service.rollup import Rollup
from service.settings import Settings
from tests.building import an_event
from tests.queries.naive import edges, naive_metrics
from tests.stores import STORES
from tests.storing import AStream, put

CLOCK_CHANGES = {
    "UTC": ["2026-01-01T00:00:00Z"],
    "Asia/Kathmandu": ["2026-05-03T18:15:00Z"],
    "Australia/Lord_Howe": ["2026-04-04T15:00:00Z", "2026-10-03T15:30:00Z"],
    "America/New_York": ["2026-03-08T07:00:00Z", "2026-11-01T06:00:00Z"],
    "Africa/Cairo": ["2026-04-23T22:00:00Z", "2026-10-29T21:00:00Z"],
    "America/St_Johns": ["1999-04-04T03:31:00Z", "1999-10-31T02:31:00Z"],
}
USERS = ("ada", "Ada", "a%a", "a_a", "a\\a", "žofie", "ada 你好", "ab'; --")
TYPES = ("click", "page_view", "CLICK", "päge")
SPANS = (1, 60_000, 4 * MINUTE + 7, QUARTER, 37 * MINUTE, 60 * MINUTE, 5 * 60 * MINUTE, DAY)


class Asked:
    """One store for all examples: each has a tenant of its own, the others' rows are noise."""

    def __init__(self, store: Migratable) -> None:
        self.tenants = (f"env_{n}" for n in count())
        self.store = store
        self.rollup = Rollup(self.store)
        self.questions = Questions(self.store, AStream(0), AnswerCache(0), Settings())


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
def ranges(draw):
    """A zone, and a range near a change of its clock; its ends are often ends of buckets."""
    zone = draw(st.sampled_from(sorted(CLOCK_CHANGES)))
    change = datetime.fromisoformat(draw(st.sampled_from(CLOCK_CHANGES[zone])))
    at = int(change.timestamp() * 1000)
    shifts = st.sampled_from([0, 1, 7 * MINUTE, QUARTER, 60 * MINUTE, DAY, 3 * DAY + 12_345])
    start = at - draw(shifts) + draw(st.sampled_from([0, -1, 1]))
    span = draw(st.sampled_from([*SPANS, 9 * DAY]) | st.integers(1, 3 * DAY))
    return zone, start, start + span


@st.composite
def histories(draw, start, end):
    """Batches of events in and around a range, and after which of them there was a step."""
    near = st.integers(start - QUARTER, end + QUARTER)
    moments = near | st.sampled_from([start - 1, start, end - 1, end])
    number = iter(count())
    event = st.builds(
        lambda at, user, kind, session: an_event(
            f"e{next(number)}",
            timestamp=datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=at),
            user_id=user,
            event_type=kind,
            session_id=session,
        ),
        moments,
        st.sampled_from([*USERS, ""]),
        st.sampled_from(TYPES),
        st.sampled_from([*"stu", ""]),
    )
    batches = st.lists(event, min_size=1, max_size=12)
    return draw(st.lists(st.tuples(batches, st.sampled_from(["", "roll", "merge"])), max_size=6))


async def tell(asked: Asked, tenant: str, history) -> list[Event]:
    events = []
    for batch, then in history:
        await put(asked.store, batch, tenant=tenant)
        events += batch
        if then:
            await asked.rollup.roll(least=1)
        if then == "merge":
            while await asked.rollup.merge_if_due():
                pass
    return events


def fitting(start: int, end: int) -> list[str]:
    return [name for name, length in INTERVALS.items() if (end - start) / length <= 300]


@pytest.mark.parametrize("interval", [name for name in INTERVALS if name != "10s"])
@pytest.mark.parametrize(
    ("zone", "change"), [(zone, at) for zone, changes in CLOCK_CHANGES.items() for at in changes]
)
def test_buckets_around_every_change_of_a_clock(zone, change, interval):
    at = int(datetime.fromisoformat(change).timestamp() * 1000)
    length = INTERVALS[interval]
    around = (at - 3 * length - 1, at + 3 * length)
    assert bucket_starts(*around, length, ZoneInfo(zone)) == list(edges(*around, length, zone))


@settings(max_examples=120)
@given(st.data())
def test_metrics_of_a_free_range(asked, data):
    zone, start, end = data.draw(ranges())
    history = data.draw(histories(start, end))
    interval = data.draw(st.sampled_from(fitting(start, end)))
    filters = data.draw(
        st.fixed_dictionaries(
            {},
            optional={
                "eventType": st.sampled_from(TYPES),
                "userId": st.sampled_from([*USERS, "a", "%", "_", "\\", "ž", "'"]),
            },
        )
    )
    limit = data.draw(st.integers(1, 5))
    tenant = next(asked.tenants)
    events = asked.run(tell(asked, tenant, history))
    raw = {"start": iso(start), "end": iso(end), "tz": zone, "interval": interval, **filters}
    answer = ask(asked, tenant, {**raw, "limit": str(limit)}, end + DAY)
    assert answer == naive_metrics(
        events,
        start,
        end,
        INTERVALS[interval],
        zone,
        filters.get("eventType", ""),
        filters.get("userId", ""),
        limit,
    )


@settings(max_examples=60)
@given(st.data())
def test_metrics_of_a_range_that_ends_now_with_events_beyond_it(asked, data):
    zone, _, now = data.draw(ranges())
    name = data.draw(st.sampled_from(sorted(RANGES)))
    length, interval = RANGES[name]
    history = data.draw(histories(now - length, now))
    tenant = next(asked.tenants)
    events = asked.run(tell(asked, tenant, history))
    answer = ask(asked, tenant, {"timeRange": name, "tz": zone}, now)
    assert answer == naive_metrics(events, now - length, now, interval, zone)


def ask(asked: Asked, tenant: str, raw: dict[str, str], now: int) -> dict:
    served = asked.run(asked.questions.metrics(tenant, parse_metrics(raw, now)))
    return msgspec.json.decode(served.document)


def iso(ms: int) -> str:
    return (datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=ms)).isoformat()


def test_what_the_examples_left_rolled_up_is_what_the_rows_say(asked):
    asked.run(asked.rollup.roll(least=1))
    findings = asked.run(asked.rollup.verify())
    assert [f for f in findings if not f.ok] == []
