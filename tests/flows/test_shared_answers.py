"""Answers shared by processes over a real Valkey, and what callers notice when it is away."""

import asyncio
import signal
import time
from collections.abc import AsyncIterator, Callable

import pytest

from service.query.cache import AnswerCache
from service.query.share import Computed, Share
from service.shared.redis import SharedRedis
from tests.contracts.test_shared import until_it_answers
from tests.servers import Server, url_of_valkey

SECONDS = 10.0


class AStore:
    """Answers a question with how often it was asked."""

    def __init__(self, takes: float = 0.02, position: int = 1) -> None:
        self.asked, self.takes, self.position = 0, takes, position
        self.broken = False

    async def __call__(self) -> Computed:
        self.asked += 1
        asked = self.asked
        await asyncio.sleep(self.takes)
        if self.broken:
            raise RuntimeError("the store is away")
        return Computed(b"answer %d" % asked, self.position, 5)


@pytest.fixture
async def a_cache(valkey: Server) -> AsyncIterator[Callable[[], AnswerCache]]:
    """Makes the cache of one more process."""
    made: list[SharedRedis] = []

    def make(clock: Callable[[], float] = time.monotonic) -> AnswerCache:
        made.append(SharedRedis(url_of_valkey(valkey), b"secret"))
        return AnswerCache(SECONDS, clock=clock, share=Share(made[-1], SECONDS))

    make()
    await until_it_answers(made[0])
    yield make
    for shared in made:
        await shared.close()


async def test_an_answer_of_one_process_serves_all_with_its_age(a_cache):
    here, there, store = a_cache(), a_cache(), AStore()
    first = await here.answer(b"key", store)
    await asyncio.sleep(0.3)
    second = await there.answer(b"key", store)
    assert (second.document, second.etag, store.asked) == (first.document, first.etag, 1)
    assert (first.cached, second.cached) == (False, True)
    assert 300 <= second.age_ms < 1000


async def test_processes_that_ask_at_once_compute_once(a_cache):
    caches, store = [a_cache() for _ in range(4)], AStore(takes=0.2)
    answers = [cache.answer(b"key", store) for cache in caches for _ in range(25)]
    assert {served.document for served in await asyncio.gather(*answers)} == {b"answer 1"}


async def test_an_answer_that_lacks_an_event_does_not_do(a_cache):
    here, there, store = a_cache(), a_cache(), AStore()
    await here.answer(b"key", store)
    store.position = 9
    assert (await there.answer(b"key", store, at_least=9)).document == b"answer 2"


async def test_a_process_that_fails_lets_the_others_compute(a_cache):
    here, there = a_cache(), a_cache()
    failing, sound = AStore(takes=0.1), AStore()
    failing.broken = True
    failed = asyncio.create_task(here.answer(b"key", failing))
    await asyncio.sleep(0.05)
    assert (await there.answer(b"key", sound)).document == b"answer 1"
    with pytest.raises(RuntimeError):
        await failed


async def test_renewing_takes_over_what_another_has_renewed(a_cache):
    now = [time.monotonic()]
    here, there, store = a_cache(), a_cache(lambda: now[0]), AStore(takes=0)
    await there.answer(b"key", store)
    now[0] += SECONDS * 0.95  # past the soft limit there, while here nothing was ever asked
    await here._share._shared.put(b"key", b"", 0.001)
    await asyncio.sleep(0.01)
    await here.answer(b"key", store)
    await there.answer(b"key", store)
    await asyncio.sleep(0.1)
    assert (await there.answer(b"key", store)).document == b"answer 2"
    assert store.asked == 2


@pytest.mark.parametrize("harm", [signal.SIGKILL, signal.SIGSTOP])
async def test_without_the_shared_memory_every_answer_is_computed_here(harm, a_cache, valkey):
    cache, store = a_cache(), AStore(takes=0)
    valkey.send(harm)
    async with asyncio.timeout(30):
        asked = [cache.answer(b"harmed%d" % n, store) for n in range(200)]
        assert len({served.document for served in await asyncio.gather(*asked)}) == 200
    assert store.asked == 200
