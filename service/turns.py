"""Turns at the work on requests: what is more than can be done soon waits, or is sent away.

Without them a flood is answered by nobody: every request of it is decoded before the first one's
acknowledgement is looked at, and by then the time of all of them is over.
"""

import asyncio
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

from service.errors import IngestionUnavailable
from service.telemetry import ingest_unavailable

AT_WORK = 2 * 1024 * 1024
"""Bytes of bodies that are decoded and published at a time: some twenty batches of 500 events."""
WAITING = 16 * 1024 * 1024
"""Bytes of bodies that wait for their turn; no more are read then."""
PATIENCE = 1.0
"""Seconds that a request waits for its turn; no more are read once one has waited for half."""
_AGAIN = 2.0
"""Seconds after which those that wait now have been taken, or refused."""


class Turns:
    """First come, first served, by the weight of what they bring."""

    def __init__(
        self,
        at_work: int = AT_WORK,
        waiting: int = WAITING,
        patience: float = PATIENCE,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._all = self._free = at_work
        self._room = waiting
        self._patience = patience
        self._clock = clock
        self._waiting: deque[_Waiter] = deque()

    def look(self) -> None:
        """Raises IngestionUnavailable where so much waits that one more need not be read."""
        if not self._waiting:
            return
        if self._room <= 0 or self._clock() - self._waiting[0].since > self._patience / 2:
            raise _refusal()

    def turn(self, weight: int) -> "Turn":
        """To be entered for the work on `weight` bytes.

        Entering raises IngestionUnavailable for who has waited too long.
        """
        return Turn(self, weight)

    async def begin(self, weight: int) -> None:
        """Return when work on so much may begin."""
        if self._waiting or not self._fits(weight):
            await self._wait(weight)
        else:
            self._free -= weight

    def end(self, weight: int) -> None:
        """Work is done, and whoever fits into its place begins."""
        self._free += weight
        while self._waiting and self._fits(self._waiting[0].weight):
            waiter = self._waiting.popleft()
            if not waiter.begun.done():
                self._free -= waiter.weight
                waiter.begun.set_result(True)

    def _fits(self, weight: int) -> bool:
        """What is larger than all that may be at work is alone at it."""
        return weight <= self._free or self._free == self._all

    async def _wait(self, weight: int) -> None:
        loop = asyncio.get_running_loop()
        waiter = _Waiter(weight, self._clock(), loop.create_future())
        self._waiting.append(waiter)
        self._room -= weight
        timer = loop.call_later(self._patience, waiter.give_up)
        try:
            if not await waiter.begun:
                raise _refusal()
        except asyncio.CancelledError:
            if not waiter.begun.cancelled() and waiter.begun.result():
                self.end(weight)
            raise
        finally:
            timer.cancel()
            self._room += weight
            self._forget()

    def _forget(self) -> None:
        """Let go of those in front who have given up."""
        while self._waiting and self._waiting[0].begun.done():
            self._waiting.popleft()


class Turn:
    """The work on one request."""

    __slots__ = ("_turns", "_weight")

    def __init__(self, turns: Turns, weight: int) -> None:
        self._turns = turns
        self._weight = weight

    async def __aenter__(self) -> None:
        await self._turns.begin(self._weight)

    async def __aexit__(self, *raised: object) -> None:
        self._turns.end(self._weight)


@dataclass(frozen=True, slots=True)
class _Waiter:
    weight: int
    since: float
    begun: asyncio.Future[bool]
    """True when its turn has come, false when it has waited too long."""

    def give_up(self) -> None:
        if not self.begun.done():
            self.begun.set_result(False)


def _refusal() -> IngestionUnavailable:
    ingest_unavailable.inc()
    return IngestionUnavailable("more comes in than can be taken now; try again", _AGAIN)
