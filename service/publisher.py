"""From rows to acknowledged stream messages.

Small requests of one tenant that arrive together travel as one message and share its
acknowledgement. What waits is bounded in bytes. Sending goes on when the client that asked is gone.
"""

import asyncio
import hashlib
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from service import crash
from service.errors import IngestionUnavailable
from service.events import Batch, Rows, now_ms, pack, tenant_seed
from service.hints import Hints
from service.settings import Settings
from service.storage.mark import Mark
from service.storage.protocol import EPOCH_SHIFT
from service.stream.protocol import Stream
from service.telemetry import ingest_unavailable, publish_seconds

FULL_MESSAGE = 500
"""Events after which a message waits for no more company."""
LONGEST_LINGER = 5
"""How many times its usual wait a message waits for the one before it."""
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

    def __init__(self, stream: Stream, mark: Mark, hints: Hints, settings: Settings) -> None:
        self._stream = stream
        self._mark = mark
        self._hints = hints
        self._settings = settings
        self._lanes: dict[str, _Lane] = {}
        self._queued = 0

    async def publish(self, tenant: str, rows: Rows) -> Place:
        """Hand rows over and return when the stream keeps them.

        Raises IngestionUnavailable when it does not say so in time, or when too much is waiting.
        """
        waiter = _Waiter(rows, rows.weight(), asyncio.get_running_loop().create_future())
        try:
            self._admit(waiter.weight)
            self._lane(tenant).add(waiter)
            return await waiter.place
        except IngestionUnavailable:
            ingest_unavailable.inc()
            raise

    def _admit(self, weight: int) -> None:
        """Count what comes in until it is sent or given up, whether or not its caller stays."""
        if self._queued and self._queued + weight > self._settings.queue_bytes:
            raise IngestionUnavailable("too much is waiting for the stream; try again", 1.0)
        self._queued += weight

    def _lane(self, tenant: str) -> "_Lane":
        lane = self._lanes.get(tenant)
        if lane is None:
            linger = self._settings.coalesce_seconds
            lane = _Lane(linger, lambda waiters: self._send(tenant, waiters))
            self._lanes[tenant] = lane
        return lane

    async def _send(self, tenant: str, waiters: Sequence["_Waiter"]) -> None:
        """Publish the rows of all waiters as one message and answer each."""
        try:
            position, seen = await self._send_rows(tenant, _together(waiters))
        except Exception as error:
            for waiter in waiters:
                waiter.fail(error)
            return
        finally:
            self._queued -= sum(waiter.weight for waiter in waiters)
        first = 0
        for waiter in waiters:
            end = first + len(waiter.rows)
            waiter.answer(Place(position, first, seen[first:end]))
            first = end

    async def _send_rows(self, tenant: str, rows: Rows) -> tuple[int, NDArray[np.bool_]]:
        columns = rows.columns(tenant_seed(tenant))
        body = pack(Batch(tenant, now_ms(), columns))
        keys = columns["event_key"].to_numpy()
        seen = self._hints.seen(keys)
        crash.point("door.before_publish")
        with publish_seconds.time():
            receipt = await self._stream.publish(
                tenant, _message_id(tenant, body), body, self._settings.publish_timeout
            )
        crash.point("door.after_publish")
        position = self._mark.progress.epoch << EPOCH_SHIFT | receipt.sequence
        self._hints.record(keys[~seen])
        return position, seen


@dataclass(slots=True)
class _Waiter:
    rows: Rows
    weight: int
    place: asyncio.Future[Place]

    def answer(self, place: Place) -> None:
        if not self.place.done():
            self.place.set_result(place)

    def fail(self, error: Exception) -> None:
        if not self.place.done():
            self.place.set_exception(error)


@dataclass(slots=True)
class _Lane:
    """One tenant's requests, gathered into messages.

    A message leaves when it is full, when its first request has waited long enough, or when the
    message before it is acknowledged: the busier the lane, the larger its messages.
    """

    linger: float
    send: Callable[[Sequence[_Waiter]], Coroutine[Any, Any, None]]
    waiting: list[_Waiter] = field(default_factory=list)
    events: int = 0
    weight: int = 0
    timer: asyncio.TimerHandle | None = None
    sending: set[asyncio.Task[None]] = field(default_factory=set)

    def add(self, waiter: _Waiter) -> None:
        self.waiting.append(waiter)
        self.events += len(waiter.rows)
        self.weight += waiter.weight
        if self.events >= FULL_MESSAGE or self.weight >= FULL_MESSAGE_BYTES:
            self.leave()
        elif self.timer is None:
            linger = self.linger * LONGEST_LINGER if self.sending else self.linger
            self.timer = asyncio.get_running_loop().call_later(linger, self.leave)

    def leave(self) -> None:
        if self.timer:
            self.timer.cancel()
        waiters, self.waiting, self.timer = self.waiting, [], None
        self.events = self.weight = 0
        task = asyncio.get_running_loop().create_task(self.send(waiters))
        self.sending.add(task)
        task.add_done_callback(self._sent)

    def _sent(self, task: asyncio.Task[None]) -> None:
        self.sending.discard(task)
        if self.waiting and not self.sending:
            self.leave()


def _together(waiters: Sequence[_Waiter]) -> Rows:
    if len(waiters) == 1:
        return waiters[0].rows
    rows = Rows()
    for waiter in waiters:
        rows.extend(waiter.rows)
    return rows


def _message_id(tenant: str, body: bytes) -> str:
    return hashlib.blake2b(body, digest_size=16, key=tenant.encode()).hexdigest()
