"""Nonces: what was used once is not taken again, and where that cannot be said nothing is taken.

Unlike the rest of what processes share this fails closed.
"""

import time
from collections.abc import Callable
from typing import Protocol

from service.errors import SigningUnavailable

MARGIN = 60
"""Seconds that a nonce is kept past its time, for clocks that differ."""
MOST_KEPT = 1_000_000
"""Nonces in the memory of one process, about 100 bytes each."""


class Nonces(Protocol):
    """Remembers what was used. All processes that take the same requests have to share one."""

    async def use(self, nonce: bytes, signed_at: int, until: int) -> bool:
        """Whether this is its first use; remembered until `until`. Times in Unix seconds.

        Raises SigningUnavailable when that cannot be said: the memory is away, full, or younger
        than the request.
        """
        ...


class LocalNonces:
    """Remembers in this process alone; `clock` in Unix seconds."""

    def __init__(self, most_kept: int = MOST_KEPT, clock: Callable[[], float] = time.time) -> None:
        self._most_kept = most_kept
        self._clock = clock
        self._since = self._swept = int(clock())
        self._used: dict[int, set[bytes]] = {}
        self._kept = 0

    async def use(self, nonce: bytes, signed_at: int, until: int) -> bool:
        self._sweep(int(self._clock()))
        if signed_at < self._since:
            raise SigningUnavailable("this service started after the request was signed")
        used = self._used.setdefault(until, set())
        if nonce in used:
            return False
        if self._kept >= self._most_kept:
            raise SigningUnavailable("too many signed requests at once")
        used.add(nonce)
        self._kept += 1
        return True

    def _sweep(self, now: int) -> None:
        if now == self._swept:
            return
        self._swept = now
        for until in [until for until in self._used if until + MARGIN < now]:
            self._kept -= len(self._used.pop(until))


class NoNonces:
    """For processes that share no memory: none of them could say."""

    async def use(self, nonce: bytes, signed_at: int, until: int) -> bool:
        raise SigningUnavailable(
            "signed requests need REDIS_URL where several processes may answer"
        )
