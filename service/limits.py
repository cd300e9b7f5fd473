"""How often something may be done: counted here, or wherever a `Limits` counts.

The window slides: into any span of the limit's length fall no more uses than the limit has. A use
that was refused does not count. Of a caller at most `PARTS` + 2 sums are kept, however many uses
they stand for; so a use is forgotten when the span after it is over, or a `PARTS`-th of it later.
"""

import time
from collections import OrderedDict, deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

from service.errors import RateLimited
from service.telemetry import limits_refused

PARTS = 20
"""Uses within this part of a limit's span are kept as one sum."""
MOST_KEPT = 10_000
"""Callers counted at once in one process; beyond it those who came longest ago are forgotten."""


@dataclass(frozen=True, slots=True)
class Limit:
    """`times` uses in any `seconds`; `name` keeps apart what is counted for the same caller."""

    name: str
    times: int
    seconds: float

    @property
    def part(self) -> float:
        """Seconds within which uses are kept as one sum."""
        return self.seconds / PARTS


@dataclass(frozen=True, slots=True)
class Standing:
    """Where a caller stands after a use."""

    left: int
    """Uses that he has left."""
    more_in: float
    """Seconds until he has more, because his oldest uses are forgotten."""


class Limits(Protocol):
    """Counts uses, in this process or in all of them together."""

    async def take(self, limit: Limit, of: str, cost: int = 1) -> Standing:
        """Count a use that is worth `cost`, at most all that the limit has.

        Raises RateLimited, with how long to wait and what is left, when it is too much.
        """
        ...


def too_often(limit: Limit, wait: float, left: int) -> RateLimited:
    """The refusal of a use."""
    limits_refused.labels(limit.name).inc()
    return RateLimited(f"at most {limit.times} in {limit.seconds:g} seconds", wait, left)


class LocalLimits:
    """Counts in this process alone, in bounded memory; `clock` in seconds."""

    def __init__(
        self, most_kept: int = MOST_KEPT, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._most_kept = most_kept
        self._clock = clock
        self._callers: OrderedDict[tuple[str, str], _Uses] = OrderedDict()

    async def take(self, limit: Limit, of: str, cost: int = 1) -> Standing:
        now = self._clock()
        uses = self._uses(limit, of, now)
        if (wait := uses.wait(limit, cost, now)) > 0:
            raise too_often(limit, wait, max(0, limit.times - uses.total))
        uses.add(limit, cost, now)
        return Standing(limit.times - uses.total, uses.oldest + limit.seconds - now)

    def note(self, limit: Limit, of: str, cost: int = 1) -> None:
        """Count a use that somebody else has let through."""
        now = self._clock()
        self._uses(limit, of, now).add(limit, cost, now)

    def _uses(self, limit: Limit, of: str, now: float) -> "_Uses":
        uses = self._callers.setdefault((limit.name, of), _Uses())
        self._callers.move_to_end((limit.name, of))
        if len(self._callers) > self._most_kept:
            self._callers.popitem(last=False)
        uses.forget(limit, now)
        return uses


@dataclass(slots=True)
class _Sum:
    """Uses so close together that they are forgotten together, with the last of them."""

    first: float
    last: float
    worth: int


@dataclass(slots=True)
class _Uses:
    """What one caller used lately, oldest first."""

    total: int = 0
    _sums: deque[_Sum] = field(default_factory=deque)

    @property
    def oldest(self) -> float:
        return self._sums[0].last

    def forget(self, limit: Limit, now: float) -> None:
        while self._sums and self._sums[0].last + limit.seconds <= now:
            self.total -= self._sums.popleft().worth

    def wait(self, limit: Limit, cost: int, now: float) -> float:
        """Seconds until there is room for a use; 0 when there is."""
        over, wait = self.total + cost - limit.times, 0.0
        for one in self._sums:
            if over <= 0:
                break
            over -= one.worth
            wait = one.last + limit.seconds - now
        return wait

    def add(self, limit: Limit, cost: int, now: float) -> None:
        self.total += cost
        if self._sums and now < self._sums[-1].first + limit.part:
            self._sums[-1].last = now
            self._sums[-1].worth += cost
        else:
            self._sums.append(_Sum(now, now, cost))
