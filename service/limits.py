"""How often something may be done: counted here, or wherever a `Limits` counts.

The window moves: of the uses in any span of the limit's length, none is one too many. A use that
was refused does not count.
"""

import time
from collections import OrderedDict, deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from service.errors import RateLimited

MOST_KEPT = 10_000
"""Counted at once in one process; beyond it those used longest ago are forgotten."""


@dataclass(frozen=True, slots=True)
class Limit:
    """`times` uses in any `seconds`; `name` keeps apart what is counted for the same caller."""

    name: str
    times: int
    seconds: float


class Limits(Protocol):
    """Counts uses. One that several processes share would be as strict, at a call each."""

    async def take(self, limit: Limit, of: str) -> None:
        """Count one use; raises RateLimited, with how long to wait, when it is one too many."""
        ...


class LocalLimits:
    """Counts in this process alone, in bounded memory; `clock` in seconds."""

    def __init__(
        self, most_kept: int = MOST_KEPT, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._most_kept = most_kept
        self._clock = clock
        self._uses: OrderedDict[tuple[str, str], deque[float]] = OrderedDict()

    async def take(self, limit: Limit, of: str) -> None:
        now = self._clock()
        uses = self._uses.setdefault((limit.name, of), deque(maxlen=limit.times))
        self._uses.move_to_end((limit.name, of))
        if len(uses) == limit.times and (wait := uses[0] + limit.seconds - now) > 0:
            raise RateLimited(f"at most {limit.times} in {limit.seconds:g} seconds", wait)
        uses.append(now)
        if len(self._uses) > self._most_kept:
            self._uses.popitem(last=False)
