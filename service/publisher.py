"""From rows to acknowledged stream messages.

Small requests of one tenant that arrive together travel as one message and share its
acknowledgement. What waits is bounded in bytes. Sending goes on when the client that asked is gone.
"""

import asyncio
import hashlib
import time
from collections import deque
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from service import crash, traces, trail
from service.errors import IngestionUnavailable
from service.events import Batch, Rows, now_ms, pack, tenant_seed
from service.hints import Hints
from service.near_net import Keys
from service.settings import Settings
from service.storage.mark import Mark
from service.storage.protocol import EPOCH_SHIFT
from service.stream.protocol import Stream
from service.telemetry import ingest_unavailable, publish_seconds

FULL_MESSAGE = 500
"""Events after which a message waits for no more company."""
LONGEST_LINGER = 5
"""How many times its usual wait a message waits for the one before it."""
MOST_BEHIND = 0.5
"""Seconds that a message may wait for the store before answers are held back."""
HELD_BACK = 0.1
"""Seconds that an answer is held back at most: a store that stands still stops nobody."""
_NOTE_EVERY = 0.02
"""Seconds between notes of when messages were acknowledged."""
_MOST_NOTED = 1000
"""Notes that are kept: of a store that stands still it is enough to know that it does."""
FULL_MESSAGE_BYTES = 1024 * 1024
"""The same in bytes, so that company never makes a message larger than the stream takes."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where a request's rows stand: from `first` on in the message at `position`."""

    position: int
    first: int
    seen: NDArray[np.bool_]
    """For each row, whether it looks like a repeat: a hint for the caller."""


class Publisher:
    """Publishes rows of any tenant. Safe to call from many tasks at once."""

    def __init__(
        self,
        stream: Stream,
        mark: Mark,
        hints: Hints,
        settings: Settings,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._clock = clock
        self._stream = stream
        self._mark = mark
        self._hints = hints
        self._settings = settings
        self._lanes: dict[str, _Lane] = {}
        self._queued = 0
        self._unstored = _Unstored()

    def publish(self, tenant: str, rows: Rows) -> Awaitable[Place]:
        """Take rows over at once; what it returns is done when the stream keeps them.

        Raises, when awaited, IngestionUnavailable if the stream does not say so in time, or if
        too much is waiting.
        """
        place = asyncio.get_running_loop().create_future()
        waiter = _Waiter(len(rows), rows.weight(), place, trail.current(), traces.here())
        if self._queued and self._queued + waiter.weight > self._settings.queue_bytes:
            ingest_unavailable.inc()
            waiter.fail(IngestionUnavailable("too much is waiting for the stream; try again", 1.0))
        else:
            self._queued += waiter.weight
            self._lane(tenant).add(rows, waiter)
        return waiter.place

    def _lane(self, tenant: str) -> "_Lane":
        lane = self._lanes.get(tenant)
        if lane is None:
            linger = self._settings.coalesce_seconds
            lane = _Lane(linger, lambda rows, waiters: self._send(tenant, rows, waiters))
            self._lanes[tenant] = lane
        return lane

    def _send(
        self, tenant: str, rows: Rows, waiters: Sequence["_Waiter"]
    ) -> Coroutine[Any, Any, None]:
        """Pack rows at once, while they are warm; publishing and answering is what it returns."""
        try:
            columns = rows.columns(tenant_seed(tenant))
            body = pack(Batch(tenant, now_ms(), columns))
            keys = columns["event_key"].to_numpy()
        except Exception as error:
            return self._give_up(waiters, error)
        return self._publish(tenant, body, keys, waiters)

    async def _publish(
        self, tenant: str, body: bytes, keys: Keys, waiters: Sequence["_Waiter"]
    ) -> None:
        seen, others = self._hints.seen(keys), self._hints.ask_others(keys)
        crash.point("door.before_publish")
        try:
            with publish_seconds.time(), traces.publishing(w.trace for w in waiters) as noted:
                receipt = await self._stream.publish(
                    tenant,
                    _message_id(tenant, body),
                    body,
                    self._settings.publish_timeout,
                    {**trail.named(waiter.request for waiter in waiters), **noted},
                )
        except Exception as error:
            await self._give_up(waiters, error)
            return
        crash.point("door.after_publish")
        self._release(waiters)
        if others:
            seen = seen | await others
        self._hints.record(keys[~seen])
        position = self._mark.progress.epoch << EPOCH_SHIFT | receipt.sequence
        await self._hold_back(position)
        first = 0
        for waiter in waiters:
            end = first + waiter.events
            waiter.answer(Place(position, first, seen[first:end]))
            first = end

    async def _hold_back(self, position: int) -> None:
        """Let the store catch up: who waits for answers then sends no faster than it stores."""
        stored, now = self._mark.progress, self._clock()
        overdue = self._unstored.overdue(stored.position, now - MOST_BEHIND)
        self._unstored.note(position, now)
        if stored.epoch and overdue is not None:
            await self._mark.wait(overdue, HELD_BACK)

    async def _give_up(self, waiters: Sequence["_Waiter"], error: Exception) -> None:
        self._release(waiters)
        if isinstance(error, IngestionUnavailable):
            ingest_unavailable.inc(len(waiters))
        for waiter in waiters:
            waiter.fail(error)

    def _release(self, waiters: Sequence["_Waiter"]) -> None:
        """What is sent or given up waits no more, whether or not its caller stayed."""
        self._queued -= sum(waiter.weight for waiter in waiters)


@dataclass(frozen=True, slots=True)
class _Waiter:
    """A request whose rows are on their way. Its caller may have gone."""

    events: int
    weight: int
    place: asyncio.Future[Place]
    request: str
    """The id of the request; empty where it is none."""
    trace: str
    """Where it stands in its trace; empty where there is none."""

    def answer(self, place: Place) -> None:
        if not self.place.done():
            self.place.set_result(place)

    def fail(self, error: Exception) -> None:
        if not self.place.done():
            self.place.set_exception(error)


@dataclass(slots=True)
class _Unstored:
    """When messages were acknowledged that the store has not reached yet; a few dozen a second."""

    _noted: deque[tuple[int, float]] = field(default_factory=lambda: deque(maxlen=_MOST_NOTED))

    def note(self, position: int, now: float) -> None:
        if not self._noted or now - self._noted[-1][1] >= _NOTE_EVERY:
            self._noted.append((position, now))

    def overdue(self, stored: int, since: float) -> int | None:
        """The oldest position beyond `stored`, if it was acknowledged before `since`."""
        while self._noted and self._noted[0][0] <= stored:
            self._noted.popleft()
        if self._noted and self._noted[0][1] < since:
            return self._noted[0][0]
        return None


@dataclass(slots=True)
class _Lane:
    """One tenant's requests, gathered into messages.

    A message leaves when it is full, when its first request has waited long enough, or when the
    message before it is acknowledged: the busier the lane, the larger its messages.
    """

    linger: float
    send: Callable[[Rows, Sequence[_Waiter]], Coroutine[Any, Any, None]]
    rows: Rows = field(default_factory=Rows)
    waiting: list[_Waiter] = field(default_factory=list)
    weight: int = 0
    timer: asyncio.TimerHandle | None = None
    sending: set[asyncio.Task[None]] = field(default_factory=set)

    def add(self, rows: Rows, waiter: _Waiter) -> None:
        if self.waiting:
            self.rows.extend(rows)
        else:
            self.rows = rows
        self.waiting.append(waiter)
        self.weight += waiter.weight
        if len(self.rows) >= FULL_MESSAGE or self.weight >= FULL_MESSAGE_BYTES:
            self.leave()
        elif self.timer is None:
            linger = self.linger * LONGEST_LINGER if self.sending else self.linger
            self.timer = asyncio.get_running_loop().call_later(linger, self.leave)

    def leave(self) -> None:
        if self.timer:
            self.timer.cancel()
        rows, self.rows = self.rows, Rows()
        waiters, self.waiting = self.waiting, []
        self.weight, self.timer = 0, None
        task = asyncio.get_running_loop().create_task(self.send(rows, waiters))
        self.sending.add(task)
        task.add_done_callback(self._sent)

    def _sent(self, task: asyncio.Task[None]) -> None:
        self.sending.discard(task)
        if self.waiting and not self.sending:
            self.leave()


def _message_id(tenant: str, body: bytes) -> str:
    return hashlib.blake2b(body, digest_size=16, key=tenant.encode()).hexdigest()
