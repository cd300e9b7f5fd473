"""Questions that go on being answered: whoever listens is told when the answer changes.

The contract:

* One computation serves all who listen to a subject; nobody listens, nothing is computed.
* A subject is asked again when the store has moved on, never more often than its most eager
  listener wants, and never more than a fifth of the time. One that changes with time alone is
  asked again after its own pause as well.
* What differs in `timeRange`, `asOf` and age alone is told to nobody.
* A failure is tried again; after `patience` seconds of it those who listen are told.
"""

import asyncio
import time
from collections import Counter
from collections.abc import Hashable
from contextlib import suppress
from contextvars import Context

from service.errors import HeadraceError, Overloaded, RateLimited
from service.query.cache import Served
from service.query.listening import Listener, Seen, State, Subject
from service.storage.mark import Mark
from service.telemetry import live_listeners, log

PATIENCE = 10.0
"""Seconds that a subject may fail before those who listen are told."""
CATCH_UP = 5.0
"""Seconds that a listener who has seen more than this process waits for it to catch up."""

MOST_STRANGERS = 100
"""Listeners of one address who have no credential."""

_BUSY = 5.0
"""How many times its duration there are from one computation to the next at least."""
_AT_ONCE = 2
"""Subjects that are asked at the same time: the store is there for those who poll, too."""
_TOLD_AT_ONCE = 64
"""Listeners told before others have their turn."""
_NEVER = 3600.0
_COME_AGAIN = 5.0


class Live:
    """All that is listened to in this process: at most `most` listeners, `most_of_one` a tenant."""

    def __init__(self, mark: Mark, most: int, most_of_one: int, patience: float = PATIENCE) -> None:
        self._mark = mark
        self._patience = patience
        self._most = most
        self._most_of_one = most_of_one
        self._channels: dict[Hashable, _Channel] = {}
        self._listening: Counter[str] = Counter()
        self._strangers: Counter[str] = Counter()
        self._turns = asyncio.Semaphore(_AT_ONCE)

    @property
    def subjects(self) -> int:
        """How many different subjects are listened to."""
        return len(self._channels)

    @property
    def listeners(self) -> int:
        """How many listen."""
        return self._listening.total()

    async def listen(
        self, subject: Subject, every: float, seen: Seen | None = None, stranger: str = ""
    ) -> Listener:
        """Listen from now on; the first state is there at once, unless it is the one `seen`.

        Whoever listens must `leave`. `stranger` is the address of one without a credential. Raises
        Overloaded and RateLimited when there are too many, and what asking raises.
        """
        seen = seen or Seen()
        self._take_place(subject.tenant, stranger)
        try:
            channel = await self._channel(subject)
        except BaseException:
            self._free_place(subject.tenant, stranger)
            raise
        listener = channel.add(Listener(subject, channel.state, every, seen, stranger))
        try:
            if seen.digest != channel.state.digest:
                await channel.reaches(seen.as_of)
        except BaseException:
            self.leave(listener)
            raise
        return listener

    def leave(self, listener: Listener) -> None:
        """The listener has gone, whom `listen` gave; with the last one its subject is let go."""
        subject = listener.subject
        self._free_place(subject.tenant, listener.stranger)
        channel = self._channels.get(subject.key)
        if channel and channel.remove(listener):
            del self._channels[subject.key]

    async def close(self) -> None:
        """End all listeners, and return when nothing is asked any more."""
        await asyncio.gather(*(channel.close() for channel in self._channels.values()))
        self._channels.clear()

    async def _channel(self, subject: Subject) -> "_Channel":
        if found := self._open(subject):
            return found
        served = await subject.ask(self._mark.progress.position)
        if found := self._open(subject):  # somebody else was quicker
            return found
        made = _Channel(subject, State.of(served), self._mark, self._turns, self._patience)
        self._channels[subject.key] = made
        return made

    def _open(self, subject: Subject) -> "_Channel | None":
        channel = self._channels.get(subject.key)
        return channel if channel and not channel.over else None

    def _take_place(self, tenant: str, stranger: str) -> None:
        if self.listeners >= self._most:
            raise Overloaded("this process has no room for another listener", _COME_AGAIN)
        if self._listening[tenant] >= self._most_of_one:
            message = f"at most {self._most_of_one} may listen to one environment in a process"
            raise RateLimited(message, _COME_AGAIN)
        if self._strangers[stranger] >= MOST_STRANGERS:
            message = f"at most {MOST_STRANGERS} without a credential may listen from one address"
            raise RateLimited(message, _COME_AGAIN)
        self._listening[tenant] += 1
        self._strangers.update([stranger] * bool(stranger))
        live_listeners.inc()

    def _free_place(self, tenant: str, stranger: str) -> None:
        self._listening -= Counter([tenant])
        self._strangers -= Counter([stranger] * bool(stranger))
        live_listeners.dec()


class _Channel:
    """A subject, its newest state, and those who listen to it. There is always somebody."""

    def __init__(
        self,
        subject: Subject,
        state: State,
        mark: Mark,
        turns: asyncio.Semaphore,
        patience: float,
    ) -> None:
        self.subject = subject
        self.state = state
        self._mark = mark
        self._turns = turns
        self._patience = patience
        self._listeners: set[Listener] = set()
        self._renewed = asyncio.Event()
        self._joined = asyncio.Event()
        self._asked_at = time.monotonic()
        self._took = 0.0
        self._failing_since: float | None = None
        self.over = False
        """Whether nothing will be told any more."""
        self._task = asyncio.create_task(self._keep(), name="live", context=Context())

    def add(self, listener: Listener) -> Listener:
        self._listeners.add(listener)
        self._joined.set()
        return listener

    def remove(self, listener: Listener) -> bool:
        """Whether that was the last one, with whom all ends."""
        self._listeners.discard(listener)
        if not self._listeners:
            self._task.cancel()
        return not self._listeners

    async def reaches(self, as_of: int) -> None:
        """Return when the state is as new as `as_of`, or will not be so soon."""
        with suppress(TimeoutError):
            async with asyncio.timeout(CATCH_UP):
                while self.state.served.as_of < as_of:
                    await self._renewed.wait()

    async def close(self) -> None:
        self._end()
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)

    async def _keep(self) -> None:
        while True:
            await self._rest()
            beyond = self.state.served.position + 1
            await self._mark.wait(beyond, self.subject.slides_after or _NEVER)
            try:
                await self._tell(State.of(await self._ask()))
                self._failing_since = None
            except Exception as error:
                if not self._bears(error):
                    return self._end(error)

    async def _rest(self) -> None:
        while (left := self._asked_at + self._pace - time.monotonic()) > 0:
            self._joined.clear()
            with suppress(TimeoutError):
                async with asyncio.timeout(left):
                    await self._joined.wait()  # somebody more eager, perhaps

    @property
    def _pace(self) -> float:
        every = min((listener.every for listener in self._listeners), default=1.0)
        return max(every, _BUSY * self._took)

    async def _ask(self) -> Served:
        async with self._turns:
            self._asked_at = time.monotonic()
            try:
                return await self.subject.ask(self._mark.progress.position)
            finally:
                self._took = time.monotonic() - self._asked_at

    def _bears(self, error: Exception) -> bool:
        """Whether to try again before anybody is told of the failure."""
        log().warning("live.failed", error=repr(error))
        now = time.monotonic()
        self._failing_since = self._failing_since or now
        passing = isinstance(error, HeadraceError) and error.retryable
        return passing and now - self._failing_since < self._patience

    async def _tell(self, state: State) -> None:
        renewed, self._renewed = self._renewed, asyncio.Event()
        known, self.state = self.state, state
        renewed.set()
        if state.digest != known.digest:
            for number, listener in enumerate(list(self._listeners), start=1):
                listener.tell(state)
                if number % _TOLD_AT_ONCE == 0:
                    await asyncio.sleep(0)

    def _end(self, error: Exception | None = None) -> None:
        self.over = True
        for listener in self._listeners:
            listener.end(error)
