"""Live answers without HTTP: when a subject is asked again, and what becomes of its failures."""

import asyncio
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from itertools import pairwise

import pytest
from structlog.testing import capture_logs

from service.errors import AnalyticsUnavailable, InvalidInput, Overloaded, RateLimited
from service.query.cache import Served
from service.query.listening import Listener, State, Subject
from service.query.live import MOST_STRANGERS, Live
from service.storage.mark import Mark
from service.storage.protocol import Progress

QUICK = 0.01


@dataclass
class Store:
    """Answers with how far it is, and notes when it was asked."""

    mark: Mark
    asks: list[tuple[float, float]] = field(default_factory=list)
    """When each computation began and ended."""
    takes: float = 0.0
    error: Exception | None = None

    async def ask(self, at_least: int) -> Served:
        began, at = time.monotonic(), self.mark.progress.position
        await asyncio.sleep(self.takes)
        self.asks.append((began, time.monotonic()))
        if self.error:
            raise self.error
        return Served(b"%d" % at, at, at, False, 0, "", 0.0)

    @property
    def asked(self) -> int:
        return len(self.asks)

    def subject(self, question: str = "q", slides_after: float | None = None) -> Subject:
        return Subject("env_test", question, slides_after, self.ask)

    def count(self) -> None:
        self.mark.advance(Progress(sequence=self.mark.progress.sequence + 1))


@pytest.fixture
def store() -> Store:
    return Store(Mark())


@pytest.fixture
async def live(store: Store) -> AsyncIterator[Live]:
    opened = Live(store.mark, 100, 100, patience=0.1)
    yield opened
    await opened.close()


async def told(listener: Listener, patience: float = 20) -> bytes | None:
    """What the listener is told next; None when that is nothing."""
    state = await anext(listener.states(patience))
    return state.served.document if state else None


async def test_a_state_is_told_to_all_who_listen_and_computed_once(live: Live, store: Store):
    listeners = [await live.listen(store.subject(), QUICK) for _ in range(3)]
    assert [await told(listener) for listener in listeners] == [b"0"] * 3
    store.count()
    assert [await told(listener) for listener in listeners] == [b"1"] * 3
    assert store.asked == 2


async def test_who_begin_at_the_same_moment_share_a_channel(live: Live, store: Store):
    store.takes = 0.01
    await asyncio.gather(*(live.listen(store.subject(), QUICK) for _ in range(5)))
    assert (live.listeners, live.subjects) == (5, 1)


async def test_a_range_with_ends_is_asked_again_only_when_something_was_counted(
    live: Live, store: Store
):
    listener = await live.listen(store.subject(), QUICK)
    assert await told(listener) == b"0"
    assert await told(listener, patience=0.1) is None
    assert store.asked == 1


async def test_a_range_that_slides_is_asked_again_though_nothing_was_counted(
    live: Live, store: Store
):
    await live.listen(store.subject(slides_after=0.01), QUICK)
    async with asyncio.timeout(20):
        while store.asked < 3:
            await asyncio.sleep(0.01)


async def test_a_subject_that_takes_long_is_asked_a_fifth_of_the_time_at_most(
    live: Live, store: Store
):
    store.takes = 0.02
    listener = await live.listen(store.subject(), QUICK)
    for _ in range(4):
        store.count()
        await told(listener)
    for (began, ended), (again, _) in pairwise(store.asks[1:]):
        assert again - ended >= 4 * (ended - began)


async def test_a_failure_that_passes_is_told_to_nobody(live: Live, store: Store):
    listener = await live.listen(store.subject(), QUICK)
    assert await told(listener) == b"0"
    store.error = AnalyticsUnavailable("away")
    with capture_logs() as logs:
        store.count()
        while not logs:
            await asyncio.sleep(0.001)
        store.error = None
        assert await told(listener) == b"1"


@pytest.mark.parametrize("error", [AnalyticsUnavailable("away"), InvalidInput("no"), KeyError()])
async def test_a_failure_that_stays_ends_all_who_listen_and_a_new_one_begins_anew(
    live: Live, store: Store, error: Exception
):
    listener = await live.listen(store.subject(), QUICK)
    assert await told(listener) == b"0"
    store.error = error
    store.count()
    with capture_logs(), pytest.raises(type(error)):
        await told(listener)
    store.error = None
    assert await told(await live.listen(store.subject(), QUICK)) == b"1"


async def test_a_question_that_fails_at_first_takes_no_place(live: Live, store: Store):
    store.error = AnalyticsUnavailable("away")
    with pytest.raises(AnalyticsUnavailable):
        await live.listen(store.subject(), QUICK)
    assert (live.listeners, live.subjects) == (0, 0)


async def test_with_the_last_listener_a_subject_is_let_go(live: Live, store: Store):
    first, second = [await live.listen(store.subject(), QUICK) for _ in range(2)]
    live.leave(first)
    assert live.subjects == 1
    live.leave(second)
    assert (live.listeners, live.subjects) == (0, 0)


async def test_there_are_places_for_each_tenant_and_for_all_together(store: Store):
    live = Live(store.mark, most=2, most_of_one=1)
    await live.listen(store.subject(), QUICK)
    with pytest.raises(RateLimited):
        await live.listen(store.subject("other"), QUICK)
    await live.listen(Subject("env_2", "q", None, store.ask), QUICK)
    with pytest.raises(Overloaded):
        await live.listen(Subject("env_3", "q", None, store.ask), QUICK)
    await live.close()


async def test_strangers_of_one_address_have_a_hundred_places(store: Store):
    live = Live(store.mark, most=1000, most_of_one=1000)
    for _ in range(MOST_STRANGERS):
        last = await live.listen(store.subject(), QUICK, stranger="192.0.2.1")
    with pytest.raises(RateLimited):
        await live.listen(store.subject(), QUICK, stranger="192.0.2.1")
    await live.listen(store.subject(), QUICK, stranger="192.0.2.2")
    await live.listen(store.subject(), QUICK)
    live.leave(last)
    await live.listen(store.subject(), QUICK, stranger="192.0.2.1")
    await live.close()


async def test_a_slow_listener_misses_all_but_the_newest(live: Live, store: Store):
    slow, quick = [await live.listen(store.subject(), QUICK) for _ in range(2)]
    assert await told(quick) == b"0"
    for number in (b"1", b"2"):
        store.count()
        assert await told(quick) == number
    assert await told(slow) == b"2"


async def test_closing_ends_all_who_listen(live: Live, store: Store):
    listener = await live.listen(store.subject(), QUICK)
    await live.close()
    assert [state async for state in listener.states(20)] == []


def digest(document: bytes) -> str:
    return State.of(Served(document, 1, 1, False, 0, "", 0.0)).digest


@pytest.mark.parametrize(
    "form",
    [
        '{"timeRange":{"start":"%s","end":"b"},"totalEvents":1}',
        '{"range":{"start":"%s","end":"b"},"rows":[],"cursor":null}',
        '{"range":{"start":"a","end":"b"},"rows":[],"cursor":"%s"}',
        '{"range":{"start":"a","end":"b"},"rows":[],"cursor":null,"compare":{"start":"%s","end":"b"}}',
    ],
)
def test_a_range_that_moves_on_is_no_other_state(form: str):
    assert digest((form % "x").encode()) == digest((form % "y").encode())


def test_what_a_caller_wrote_is_never_taken_for_a_range():
    rows = b'{"rows":[{"dimensions":{"payload.a":"\\"cursor\\":\\"%b\\""}}]}'
    assert digest(rows % b"x") != digest(rows % b"y")
