"""One who listens, and what he is told: the newest state of a question, never one in between."""

import asyncio
import re
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Hashable
from dataclasses import dataclass, field
from hashlib import blake2b

from service.query.cache import Served

_SLIDING = re.compile(
    rb'"(?:timeRange|range|compare)":\{"start":"[^"]*","end":"[^"]*"\}|"cursor":"[^"]*"'
)
"""What of a document moves on with the time alone. No text of a caller's looks like it: quotation
marks inside texts have a backslash before them."""
_ID = re.compile(r"([0-9a-f]{1,15})-([0-9a-f]{16})")


@dataclass(frozen=True, slots=True)
class Subject:
    """What can be listened to: a question of a tenant.

    `ask(at_least)` answers it as of now, with all events up to a position; raises what asking
    raises. `question` is its canonical form. `slides_after`: seconds after which it may be another
    one though nothing was counted; None when only what is counted changes it.
    """

    tenant: str
    question: Hashable
    slides_after: float | None
    ask: Callable[[int], Awaitable[Served]]

    @property
    def key(self) -> Hashable:
        """The same for all who listen to the same."""
        return self.tenant, self.question


@dataclass(frozen=True, slots=True)
class State:
    """An answer at a time, the same for all who listen."""

    served: Served
    digest: str
    """Of what makes a difference: all but the ranges, which slide."""
    received: float = field(default_factory=time.monotonic)

    @classmethod
    def of(cls, served: Served) -> "State":
        settled = _SLIDING.sub(b"", served.document)
        return cls(served, blake2b(settled, digest_size=8).hexdigest())

    @property
    def id(self) -> str:
        """By which a listener says later what he has seen."""
        return f"{self.served.as_of:x}-{self.digest}"

    @property
    def age_ms(self) -> int:
        """How old the answer is now."""
        return self.served.age_ms + int((time.monotonic() - self.received) * 1000)


@dataclass(frozen=True, slots=True)
class Seen:
    """What a listener had when he left: its `asOf` in ms since 1970 UTC, and its digest."""

    as_of: int = 0
    digest: str = ""

    @classmethod
    def of(cls, text: str) -> "Seen":
        """From a state's id; any other text is nothing seen."""
        found = _ID.fullmatch(text)
        return cls(int(found[1], 16), found[2]) if found else cls()


class Listener:
    """Holds the newest state until it is taken; those that came before it are gone."""

    def __init__(
        self, subject: Subject, state: State, every: float, seen: Seen, stranger: str = ""
    ) -> None:
        self.subject = subject
        self.stranger = stranger
        """The address of one without a credential."""
        self.every = every
        """Seconds between two states at least."""
        self.joined = time.monotonic()
        self._newest = state
        self._given = seen.digest
        self._not_before = 0.0
        self._woken = asyncio.Event()
        self._ended = False
        self._error: Exception | None = None

    async def states(self, patience: float) -> AsyncIterator[State | None]:
        """The newest state whenever it is another one; None when there is none for `patience`
        seconds. Ends when told to; raises what it was ended with.
        """
        while not self._ended:
            found = await self._next(time.monotonic() + patience)
            if not self._ended:
                yield found
        if self._error:
            raise self._error

    def tell(self, state: State) -> None:
        """This is the newest one now."""
        self._newest = state
        self._woken.set()

    def end(self, error: Exception | None = None) -> None:
        """There will be no more, and why if something went wrong."""
        if not self._ended:
            self._ended, self._error = True, error
            self._woken.set()

    async def _next(self, deadline: float) -> State | None:
        while not self._ended:
            now, is_new = time.monotonic(), self._newest.digest != self._given
            if is_new and now >= self._not_before:
                self._given, self._not_before = self._newest.digest, now + self.every
                return self._newest
            if now >= deadline:
                break
            await self._sleep(min(deadline, self._not_before if is_new else deadline) - now)
        return None

    async def _sleep(self, seconds: float) -> None:
        self._woken.clear()
        alarm = asyncio.get_running_loop().call_later(seconds, self._woken.set)
        try:
            await self._woken.wait()
        finally:
            alarm.cancel()
