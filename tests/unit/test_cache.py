"""The cache's contract, line by line."""

import asyncio
import gc
from dataclasses import dataclass, field

import pytest
from structlog.testing import capture_logs

from service.query.cache import AnswerCache
from service.query.share import Computed


@dataclass
class Clock:
    now: float = 1000.0

    def __call__(self) -> float:
        return self.now


@dataclass
class Store:
    """Computes an answer when the gate is open; counts how often."""

    computed: int = 0
    position: int = 1
    size: int = 10
    error: Exception | None = None
    gate: asyncio.Event = field(default_factory=asyncio.Event)

    async def __call__(self) -> Computed:
        self.computed += 1
        position = self.position
        await self.gate.wait()
        if self.error:
            raise self.error
        return Computed(b"%d" % self.computed + b" " * self.size, position, 5)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def cache(clock: Clock) -> AnswerCache:
    return AnswerCache(10, clock=clock)


@pytest.fixture
def store() -> Store:
    store = Store()
    store.gate.set()
    return store


async def settle() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


async def test_an_answer_is_computed_once_and_served_again(cache, store, clock):
    first = await cache.answer(b"k", store)
    clock.now += 3
    second = await cache.answer(b"k", store)
    assert (first.cached, first.age_ms) == (False, 0)
    assert (second.cached, second.age_ms) == (True, 3000)
    assert (second.document, second.etag, store.computed) == (first.document, first.etag, 1)


async def test_questions_do_not_share_answers(cache, store):
    first, second = await cache.answer(b"a", store), await cache.answer(b"b", store)
    assert first.document != second.document


async def test_a_thousand_who_ask_at_once_cost_one_computation(cache, store):
    store.gate.clear()
    asking = [asyncio.create_task(cache.answer(b"k", store)) for _ in range(1000)]
    await settle()
    store.gate.set()
    answers = await asyncio.gather(*asking)
    assert store.computed == 1
    assert sorted(answer.cached for answer in answers) == [False] + [True] * 999


async def test_an_answer_past_its_soft_limit_is_served_while_it_is_renewed(cache, store, clock):
    await cache.answer(b"k", store)
    clock.now += 9.5
    stale = await cache.answer(b"k", store)
    await settle()
    renewed = await cache.answer(b"k", store)
    assert (stale.age_ms, renewed.age_ms, store.computed) == (9500, 0, 2)


async def test_many_who_ask_past_the_soft_limit_renew_once(cache, store, clock):
    await cache.answer(b"k", store)
    clock.now += 9.5
    store.gate.clear()
    await asyncio.gather(*(cache.answer(b"k", store) for _ in range(100)))
    store.gate.set()
    await settle()
    assert store.computed == 2


async def test_nobody_gets_an_answer_past_the_hard_limit(cache, store, clock):
    await cache.answer(b"k", store)
    clock.now += 10
    answer = await cache.answer(b"k", store)
    assert (answer.cached, answer.age_ms, store.computed) == (False, 0, 2)


async def test_the_last_waiter_who_gives_up_ends_the_computation(cache, store):
    store.gate.clear()
    waiters = [asyncio.create_task(cache.answer(b"q", store)) for _ in range(2)]
    await settle()
    for waiter in waiters:
        waiter.cancel()
        await settle()
    store.gate.set()
    assert (await cache.answer(b"q", store)).document.startswith(b"2")


async def test_a_waiter_that_gives_up_does_not_stop_the_others(cache, store):
    store.gate.clear()
    first, second = (asyncio.create_task(cache.answer(b"k", store)) for _ in range(2))
    await settle()
    first.cancel()
    await settle()
    store.gate.set()
    assert (await second).document.startswith(b"1")
    assert first.cancelled()


async def test_an_error_goes_to_all_who_wait_and_is_not_kept(cache, store):
    store.error = ZeroDivisionError()
    with capture_logs():
        answers = (cache.answer(b"k", store) for _ in range(3))
        errors = await asyncio.gather(*answers, return_exceptions=True)
    assert [type(error) for error in errors] == [ZeroDivisionError] * 3
    store.error = None
    assert not (await cache.answer(b"k", store)).cached
    assert store.computed == 2


async def test_an_answer_that_cannot_be_renewed_is_served_up_to_its_hard_limit(cache, store, clock):
    await cache.answer(b"k", store)
    store.error = ZeroDivisionError()
    with capture_logs():
        for _ in range(10):
            clock.now += 0.05 if clock.now > 1009 else 9.2
            assert (await cache.answer(b"k", store)).document.startswith(b"1")
            await settle()
        clock.now += 10
        with pytest.raises(ZeroDivisionError):
            await cache.answer(b"k", store)
    assert store.computed == 3


async def test_an_error_in_the_background_leaves_no_noise(cache, store, clock):
    await cache.answer(b"k", store)
    clock.now += 9.5
    store.error = ZeroDivisionError()
    with capture_logs() as logs:
        await cache.answer(b"k", store)
        await settle()
    gc.collect()
    assert [entry["event"] for entry in logs] == ["query.cache.compute_failed"]


async def test_an_answer_must_contain_the_position_asked_for(cache, store):
    await cache.answer(b"k", store)
    store.position = 7
    assert (await cache.answer(b"k", store)).position == 1
    assert (await cache.answer(b"k", store, at_least=7)).position == 7
    assert (await cache.answer(b"k", store, at_least=7)).cached


async def test_a_computation_begun_too_early_does_not_do(cache, store):
    store.gate.clear()
    early = asyncio.create_task(cache.answer(b"k", store))
    await settle()
    store.position = 7
    late = [asyncio.create_task(cache.answer(b"k", store, at_least=7)) for _ in range(5)]
    await settle()
    store.gate.set()
    assert (await early).position == 1
    assert {answer.position for answer in await asyncio.gather(*late)} == {7}
    assert store.computed == 2


async def test_the_least_recently_used_answer_goes_first(store):
    cache = AnswerCache(10, entries=2)
    for key in (b"a", b"b", b"a", b"c"):
        await cache.answer(key, store)
    assert (await cache.answer(b"a", store)).cached
    assert not (await cache.answer(b"b", store)).cached


async def test_answers_take_no_more_bytes_than_allowed(store):
    cache = AnswerCache(10, size=250)
    store.size = 99
    for key in (b"a", b"b", b"c"):
        await cache.answer(key, store)
    assert not (await cache.answer(b"a", store)).cached
    assert (await cache.answer(b"c", store)).cached


async def test_an_answer_larger_than_the_cache_is_served_and_not_kept(store):
    cache = AnswerCache(10, size=50)
    store.size = 99
    assert len((await cache.answer(b"a", store)).document) == 100
    assert not (await cache.answer(b"a", store)).cached


async def test_without_seconds_nothing_is_kept(store):
    cache = AnswerCache(0)
    for _ in range(2):
        assert not (await cache.answer(b"k", store)).cached


async def test_the_etag_is_weak_and_follows_the_document(cache, store, clock):
    tags = set()
    for _ in range(2):
        tags.add((await cache.answer(b"k", store)).etag)
        clock.now += 20
    assert len(tags) == 2
    assert all(tag.startswith('W/"') and tag.endswith('"') for tag in tags)


async def test_answers_made_together_are_not_all_renewed_together(cache, store, clock):
    for number in range(50):
        await cache.answer(b"%d" % number, store)
    clock.now += 8
    for number in range(50):
        await cache.answer(b"%d" % number, store)
    await settle()
    assert 50 < store.computed < 100


async def test_closing_stops_what_is_being_computed(cache, store):
    store.gate.clear()
    asking = asyncio.create_task(cache.answer(b"k", store))
    await settle()
    await cache.close()
    with pytest.raises(asyncio.CancelledError):
        await asking
