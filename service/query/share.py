"""Answers shared by the processes of a service: whoever computes one gives it to the others.

The contract, on top of the cache's own (`service/query/cache.py`):

* An answer computed by another process is taken over with its age, so no limit is stretched.
* Of several processes that need the same answer at once one computes; the others wait for it, and
  compute for themselves once they have waited `PATIENCE` seconds or it let go without an answer.
* Without the shared memory each process computes for itself.
"""

import asyncio
import struct
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from service.shared.protocol import Kept, Shared
from service.storage.cost import UNKNOWN, Cost

PATIENCE = 5.0
"""Seconds that one process waits for another's computation; a claim lasts as long."""
_LOOK_AGAIN = 0.02
_HEAD = struct.Struct(">QQ")


@dataclass(frozen=True, slots=True)
class Computed:
    """An answer as the store gave it."""

    document: bytes
    position: int
    """All events up to here are in the answer."""
    as_of: int
    """All events acknowledged up to here are in the answer; ms since 1970 UTC."""
    store_ms: float = 0.0
    """How long the store took, as far as it was asked in this process."""
    source: str = ""
    """Where it comes from, likewise: `rollup`, `raw` or `mixed`."""
    cost: Cost = UNKNOWN
    """What the store read for it, likewise."""


@dataclass(frozen=True, slots=True)
class Need:
    """What an answer must be to do: how new, and how far into the stream."""

    younger_than: float
    """Seconds since it was computed."""
    at_least: int = 0
    """The lowest position that it must contain."""

    def met_by(self, found: "Found | None") -> bool:
        return (
            found is not None
            and found.age < self.younger_than
            and found.computed.position >= self.at_least
        )


@dataclass(frozen=True, slots=True)
class Found:
    """An answer, and how old it is in seconds; 0 when it was computed here, just now."""

    computed: Computed
    age: float = 0.0
    elsewhere: bool = False


Compute = Callable[[], Awaitable[Computed]]


class Share:
    """The level of the cache that processes share; alone without a shared memory."""

    def __init__(self, shared: Shared | None, seconds: float) -> None:
        self._shared = shared
        self._seconds = seconds

    async def answer(self, key: bytes, compute: Compute, need: Need) -> Found:
        """An answer of some process that does, or one computed now. Raises what `compute` does."""
        if self._shared is None or self._seconds <= 0:
            return Found(await compute())
        found = await self._await_other(self._shared, key, need)
        if found is not None:
            return found
        return await self._compute(self._shared, key, compute)

    async def _await_other(self, shared: Shared, key: bytes, need: Need) -> Found | None:
        """Another's answer; None when it is this process that computes."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + PATIENCE
        while True:
            found = self._read(await shared.get(key))
            if need.met_by(found):
                return found
            if loop.time() >= deadline:
                return None
            if await shared.claim(key, PATIENCE):
                return await self._came_meanwhile(shared, key, need)
            await asyncio.sleep(_LOOK_AGAIN)

    async def _came_meanwhile(self, shared: Shared, key: bytes, need: Need) -> Found | None:
        """What another put there between the look and the claim."""
        found = self._read(await shared.get(key))
        if not need.met_by(found):
            return None
        await shared.release(key)
        return found

    async def _compute(self, shared: Shared, key: bytes, compute: Compute) -> Found:
        try:
            computed = await compute()
            head = _HEAD.pack(computed.position, computed.as_of)
            await shared.put(key, head + computed.document, self._seconds)
        finally:
            await shared.release(key)
        return Found(computed)

    def _read(self, kept: Kept | None) -> Found | None:
        if kept is None:
            return None
        position, as_of = _HEAD.unpack_from(kept.text)
        document = kept.text[_HEAD.size :]
        age = max(0.0, self._seconds - kept.left)
        return Found(Computed(document, position, as_of), age, elsewhere=True)
