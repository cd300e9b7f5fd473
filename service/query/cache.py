"""Answers kept for a few seconds: one computation for all who ask the same question at once.

The contract:

* An answer younger than the soft limit is served as it is.
* Between the soft and the hard limit it is served as it is, and one computation renews it in the
  background. Nobody ever gets an answer older than the hard limit.
* Past that, all who ask wait for one computation. It runs on its own: a waiter that gives up does
  not stop it for the others; with the last one it ends, in the store too.
* An error goes to those who wait for it and is not kept; an answer that could not be renewed is
  served on up to its hard limit, and renewing is tried again after a second.
* The soft limit varies a little from answer to answer, so that they are not all renewed at once.
* The least recently used answers go when there are too many, or too many bytes of them.
* Processes of one service share what they compute (`service/query/share.py`).
"""

import asyncio
import random
import time
from collections import Counter, OrderedDict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from hashlib import blake2b

from service.errors import InvalidInput
from service.query.share import Compute, Computed, Need, Share
from service.storage.cost import NOTHING, UNKNOWN, Cost
from service.telemetry import cache_answers, log

_SOFT_SHARE = 0.8
"""Of the hard limit; the rest is the time there is for renewing in the background."""
_JITTER = 0.1
_RENEW_AGAIN = 1.0
_NEWER = 0.25
"""Seconds by which another process's answer must be newer to stand in for renewing one."""

_fresh = cache_answers.labels("fresh")
_stale = cache_answers.labels("stale")
_shared = cache_answers.labels("shared")
_computed = cache_answers.labels("computed")
_elsewhere = cache_answers.labels("elsewhere")


@dataclass(slots=True)
class Served:
    """An answer as it goes to one caller."""

    document: bytes
    position: int
    as_of: int
    cached: bool
    """Whether it had been computed for somebody else before this caller asked."""
    age_ms: int
    etag: str
    """Changes exactly when the document does; weak, because the age around it always changes."""
    store_ms: float
    """How long the store took to answer."""
    source: str = ""
    """Where the answer came from when it was computed; empty if nobody said."""
    cost: Cost = UNKNOWN
    """What the store read for this caller: nothing for an answer that was there."""


@dataclass(slots=True)
class _Kept:
    computed: Computed
    etag: str
    made: float
    soft: float
    hard: float
    elsewhere: bool


Waiting = Callable[[Awaitable[Served]], Awaitable[Served]]
"""How a caller waits for an answer that is not at hand: he may give it up."""


async def patiently(answer: Awaitable[Served]) -> Served:
    """Wait, however long it takes."""
    return await answer


class AnswerCache:
    """Answers by key, in the memory of this process. `seconds` is the hard limit; 0 keeps none."""

    def __init__(
        self,
        seconds: float,
        entries: int = 10_000,
        size: int = 64 * 1024 * 1024,
        clock: Callable[[], float] = time.monotonic,
        share: Share | None = None,
    ) -> None:
        self._share = share or Share(None, seconds)
        self._seconds = seconds
        self._entries = entries
        self._size = size
        self._clock = clock
        self._kept: OrderedDict[bytes, _Kept] = OrderedDict()
        self._bytes = 0
        self._flights: dict[bytes, asyncio.Task[_Kept]] = {}
        self._waiting: Counter[asyncio.Task[_Kept]] = Counter()

    async def answer(
        self, key: bytes, compute: Compute, at_least: int = 0, waiting: Waiting = patiently
    ) -> Served:
        """The answer under `key`, from `compute` when none is at hand.

        `at_least` is the lowest position that the answer must contain; a computation begun before
        that position was stored does not do. Raises what `compute` raises.
        """
        now = self._clock()
        kept = self._kept.get(key)
        if kept is None or now >= kept.hard or kept.computed.position < at_least:
            return await waiting(self._wait(key, compute, at_least))
        self._kept.move_to_end(key)
        if now < kept.soft:
            _fresh.inc()
        else:
            _stale.inc()
            self._flight(key, compute, Need(now - kept.made - _NEWER))
        return _served(kept, cached=True, now=now)

    async def close(self) -> None:
        """Stop what is being computed."""
        flights = list(self._flights.values())
        for flight in flights:
            flight.cancel()
        await asyncio.gather(*flights, return_exceptions=True)

    async def _wait(self, key: bytes, compute: Compute, at_least: int) -> Served:
        need = Need(self._seconds, at_least)
        shared = key in self._flights
        kept = await self._join(key, self._flight(key, compute, need))
        if shared and kept.computed.position < at_least:
            shared = key in self._flights
            kept = await self._join(key, self._flight(key, compute, need))
        (_shared if shared else _elsewhere if kept.elsewhere else _computed).inc()
        return _served(kept, cached=shared or kept.elsewhere, now=self._clock())

    async def _join(self, key: bytes, flight: asyncio.Task[_Kept]) -> _Kept:
        """Wait with all others for what `flight` computes; who gives up last ends it."""
        self._waiting[flight] += 1
        try:
            return await asyncio.shield(flight)
        except asyncio.CancelledError:
            if self._waiting[flight] == 1 and not flight.done():
                del self._flights[key]
                flight.cancel()
            raise
        finally:
            self._waiting -= Counter([flight])

    def _flight(self, key: bytes, compute: Compute, need: Need) -> asyncio.Task[_Kept]:
        """The one computation under way for `key`, begun now if there is none."""
        flight = self._flights.get(key)
        if flight is None:
            flight = asyncio.create_task(self._compute(key, compute, need))
            self._flights[key] = flight
            flight.add_done_callback(lambda done: self._landed(key, done))
        return flight

    async def _compute(self, key: bytes, compute: Compute, need: Need) -> _Kept:
        found = await self._share.answer(key, compute, need)
        computed, made = found.computed, self._clock() - found.age
        share = _SOFT_SHARE + random.uniform(-_JITTER, _JITTER)  # noqa: S311
        etag = f'W/"{blake2b(computed.document, digest_size=12).hexdigest()}"'
        kept = _Kept(
            computed,
            etag,
            made,
            made + self._seconds * share,
            made + self._seconds,
            found.elsewhere,
        )
        self._keep(key, kept)
        return kept

    def _landed(self, key: bytes, flight: asyncio.Task[_Kept]) -> None:
        if self._flights.get(key) is flight:
            del self._flights[key]
        if flight.cancelled() or (error := flight.exception()) is None:
            return
        if not isinstance(error, InvalidInput):  # that is the caller's, and says what he wrote
            log().warning("query.cache.compute_failed", error=repr(error))
        if kept := self._kept.get(key):
            kept.soft = self._clock() + _RENEW_AGAIN

    def _keep(self, key: bytes, kept: _Kept) -> None:
        self._forget(key)
        if self._seconds <= 0:
            return
        self._kept[key] = kept
        self._bytes += len(kept.computed.document)
        while self._bytes > self._size or len(self._kept) > self._entries:
            self._forget(next(iter(self._kept)))

    def _forget(self, key: bytes) -> None:
        if former := self._kept.pop(key, None):
            self._bytes -= len(former.computed.document)


def _served(kept: _Kept, cached: bool, now: float) -> Served:
    computed = kept.computed
    return Served(
        computed.document,
        computed.position,
        computed.as_of,
        cached,
        max(0, int((now - kept.made) * 1000)),
        kept.etag,
        computed.store_ms,
        computed.source,
        NOTHING if cached else computed.cost,
    )
