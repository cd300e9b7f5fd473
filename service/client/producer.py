"""The producer: takes events one by one, sends them in batches, and does not lose them.

An event that `put` has taken is in the buffer; a parcel leaves the buffer when the service has
answered for each of its events. Parcels are sealed when they are full, or when a sender is free and
the oldest event has lingered: while the service is away they grow to their full size.
"""

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, Self

from service.client.answers import Rejection, Sent
from service.client.batches import MOST_EVENTS, Outgoing, encoded, give_ids
from service.client.buffer import Buffer, MemoryBuffer, Parcel
from service.client.client import Client
from service.client.spool import Fsync, Spool
from service.errors import BufferFull, HeadraceError, Undelivered

_log = logging.getLogger("headrace")
_CLOSED = RuntimeError("a producer is open inside its `async with` alone")

WhenFull = Literal["wait", "raise", "drop"]
OnRejected = Callable[[Rejection, bytes], None]


@dataclass(frozen=True, slots=True)
class ProducerOptions:
    """How to gather events. Times in seconds."""

    batch: int = 500
    """Events in one request at most, 1 to 1000."""
    batch_bytes: int = 1024 * 1024
    """Bytes of events in one request, before they are compressed."""
    linger: float = 0.1
    """How long an event may wait for others."""
    senders: int = 4
    """Requests under way at once."""
    buffer_bytes: int = 64 * 1024 * 1024
    """Bytes of events that wait at most, in memory or in the spool."""
    when_full: WhenFull = "wait"
    """What `put` does when there is no room: wait for it, raise BufferFull, or drop the event."""
    spool: Path | str | None = None
    """A folder to keep events in until the service has taken them."""
    fsync: Fsync = "batch"
    """When the spool is forced to the disk: with each event, with each batch, or never."""
    closing: float = 10.0
    """How long leaving the `async with` waits for what is left."""
    on_rejected: OnRejected | None = None
    """Called with each event that the service refuses, and why."""


@dataclass(slots=True)
class Tally:
    """What became of the events so far."""

    put: int = 0
    """Taken into the buffer."""
    accepted: int = 0
    duplicates: int = 0
    """Known to the service already, as after a lost answer."""
    rejected: int = 0
    """Refused by the service for what is in them."""
    dropped: int = 0
    """Never taken into the buffer, which was full."""
    tries: int = 0
    """Requests that it took, those of an end of patience left out."""
    receipts: list[str] = field(default_factory=list)
    """Those of the latest batches: when these are counted, so is everything before."""


class Producer:
    """Takes events for one client. Use it as an async context manager, inside the client's.

    A refusal that no retry helps against, as of a wrong key, ends it: `put` and `flush` raise it
    from then on. What the spool holds then stays there.
    """

    def __init__(self, client: Client, options: ProducerOptions | None = None) -> None:
        self._client = client
        self._options = options or ProducerOptions()
        if not 1 <= self._options.batch <= MOST_EVENTS:
            raise ValueError(f"a batch is 1 to {MOST_EVENTS} events, not {self._options.batch}")
        self.tally = Tally()
        self._receipts: deque[list[str]] = deque(maxlen=self._options.senders)
        self._buffer: Buffer = MemoryBuffer()
        self._due = False
        self._linger: asyncio.TimerHandle | None = None
        self._failure: Exception | None = _CLOSED
        self._wake = asyncio.Event()
        self._moved = asyncio.Condition()
        self._syncing = asyncio.Lock()
        self._senders: list[asyncio.Task[None]] = []

    def __repr__(self) -> str:
        return f"Producer({self._client!r}, {self.tally})"

    async def __aenter__(self) -> Self:
        options = self._options
        if options.spool is not None:
            self._buffer = await asyncio.to_thread(Spool, Path(options.spool), options.fsync)
        self._failure = None
        self._senders = [asyncio.create_task(self._send_all()) for _ in range(options.senders)]
        return self

    async def __aexit__(self, kind: object, error: object, trace: object) -> None:
        try:
            await self._last_flush()
        finally:
            left = await self._stop()
        if kind is None and left:
            raise left

    async def put(self, event: Outgoing) -> bool:
        """Take an event; False if it was dropped because there is no room.

        An id is made for it if it has none. When this returns, a spool has the event as safe as its
        `fsync` says. Raises BufferFull, InvalidInput for what cannot be written as JSON, OSError
        when the spool's disk is full, and what the service refused for good.
        """
        give_ids([event])
        text = encoded(event)
        if self._failure:
            raise self._failure
        if not self._has_room(text) and not await self._make_room(text):
            self.tally.dropped += 1
            return False
        sealed = self._buffer.newest
        self._add(text)
        if self._buffer.is_dirty():
            await self._sync()
        elif self._buffer.newest > sealed:
            await asyncio.sleep(0)  # the senders' turn, whoever puts without a pause
        return True

    async def flush(self) -> Tally:
        """Return when the service has answered for every event put so far.

        Waits as long as that takes. Raises what the service refused for good.
        """
        self._seal()
        last = self._buffer.newest
        await self._wait_until(lambda: (self._buffer.oldest() or last + 1) > last)
        return self.tally

    def _add(self, text: bytes) -> None:
        buffer, options = self._buffer, self._options
        if buffer.open_events and buffer.open_bytes + len(text) > options.batch_bytes:
            self._seal()
        buffer.add(text)
        self.tally.put += 1
        if buffer.open_events >= options.batch:
            self._seal()
        elif self._linger is None and not self._due:
            loop = asyncio.get_running_loop()
            self._linger = loop.call_later(options.linger, self._lingered)

    def _seal(self) -> None:
        self._buffer.seal()
        self._no_longer_due()
        self._wake.set()

    def _lingered(self) -> None:
        self._linger, self._due = None, True
        self._wake.set()

    def _no_longer_due(self) -> None:
        self._due = False
        if self._linger:
            self._linger.cancel()
            self._linger = None

    def _has_room(self, text: bytes) -> bool:
        return not self._buffer.held or self._buffer.held + len(text) <= self._options.buffer_bytes

    async def _make_room(self, text: bytes) -> bool:
        if self._options.when_full == "wait":
            await self._wait_until(lambda: self._has_room(text))
            return True
        if self._options.when_full == "raise":
            raise BufferFull(f"{self._buffer.held} bytes of events wait for the service already")
        return False

    async def _wait_until(self, holds: Callable[[], bool]) -> None:
        async with self._moved:
            await self._moved.wait_for(lambda: self._failure is not None or holds())
        if self._failure:
            raise self._failure

    async def _send_all(self) -> None:
        """One sender."""
        try:
            while True:
                parcel = await self._next()
                events = self._buffer.read(parcel)
                await self._deliver(events)
                self._buffer.remove(parcel)
                async with self._moved:
                    self._moved.notify_all()
        except Exception as error:
            await self._fail(error)

    async def _next(self) -> Parcel:
        while (parcel := self._buffer.take()) is None:
            if self._due:
                self._seal()
                continue
            self._wake.clear()
            await self._wake.wait()
        if self._buffer.is_dirty():
            await self._sync()
        return parcel

    async def _deliver(self, events: Sequence[bytes]) -> None:
        """Send until the service answers, however often the client's patience ends."""
        while events:
            try:
                self._note(await self._client.send_encoded(events), events)
                return
            except HeadraceError as error:
                if not error.retryable:
                    raise
                _log.warning("headrace.producer.waits code=%s events=%d", error.code, len(events))
                await asyncio.sleep(getattr(error, "retry_after", 0.0))

    def _note(self, sent: Sent, events: Sequence[bytes]) -> None:
        tally = self.tally
        tally.accepted += sent.accepted
        tally.duplicates += sent.duplicates
        tally.rejected += len(sent.rejected)
        tally.tries += sent.tries
        # No more than the other senders' parcels can be answered after the one that lies last.
        self._receipts.append(sent.receipts)
        tally.receipts = [receipt for parcel in self._receipts for receipt in parcel]
        for rejection in sent.rejected:
            self._tell(rejection, events[rejection.index])

    def _tell(self, rejection: Rejection, event: bytes) -> None:
        if self._options.on_rejected is None:
            code, field = rejection.code, rejection.field
            _log.warning("headrace.producer.rejected code=%s field=%s", code, field)
            return
        try:
            self._options.on_rejected(rejection, event)
        except Exception:
            _log.exception("headrace.producer.on_rejected_failed")

    async def _sync(self) -> None:
        """Force what was added to the disk; those who wait for their turn share one call."""
        async with self._syncing:
            if self._buffer.is_dirty():
                await asyncio.to_thread(self._buffer.sync)

    async def _fail(self, error: Exception) -> None:
        async with self._moved:
            self._failure = self._failure or error
            self._moved.notify_all()

    async def _last_flush(self) -> None:
        """Try to leave nothing behind; `_left` tells what is."""
        with suppress(Exception):
            async with asyncio.timeout(self._options.closing):
                await self.flush()

    async def _stop(self) -> Exception | None:
        """End; what there is to say about it."""
        self._no_longer_due()
        for sender in self._senders:
            sender.cancel()
        await asyncio.gather(*self._senders, return_exceptions=True)
        left, self._failure = self._left(), _CLOSED
        async with self._syncing:
            await asyncio.to_thread(self._buffer.close)
        return left

    def _left(self) -> Exception | None:
        """Why events were left behind that nobody keeps."""
        if self._failure or self._options.spool or not self._buffer.held:
            return self._failure
        tally = self.tally
        left = tally.put - tally.accepted - tally.duplicates - tally.rejected
        return Undelivered(f"closed with {left} events that the service did not answer for")
