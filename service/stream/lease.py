"""Whose turn it is to write: held by one process, taken over by another when that one is silent.

    lease = Lease(bucket, "writer", holder)
    await lease.wait()          # until it is ours
    keeping = create_task(lease.keep())   # ends when it is lost
    ...
    await lease.release()       # the next one need not wait

Nobody's clock is compared with another's: who waits takes the lease when its value has not moved
for `seconds` of his own time. It saves two writers from meeting often; what makes a meeting
harmless is the ledger's compare-and-set.
"""

import asyncio

from service.stream.bucket import Bucket, Moved
from service.telemetry import log

BUCKET = "HEADRACE_LEASES"
SECONDS = 5.0
_RENEWALS = 4
"""How often a holder says so in the time after which others take over."""


class Lease:
    """One lease, as one would-be holder sees it. `holder` must be a name of this process alone."""

    def __init__(self, bucket: Bucket, key: str, holder: str, seconds: float = SECONDS) -> None:
        self._bucket = bucket
        self._key = key
        self._holder = holder.encode()
        self._seconds = seconds
        self._revision = 0

    async def wait(self) -> None:
        """Return once the lease is ours; waits for ever if it must, over a broker's absence too."""
        clock = asyncio.get_running_loop().time
        seen, since = -1, clock()
        while True:
            try:
                value, revision = await self._bucket.get(self._key)
                if revision != seen:
                    seen, since = revision, clock()
                if not value or value == self._holder or clock() - since >= self._seconds:
                    self._revision = await self._bucket.put(self._key, self._holder, revision)
                    if value and value != self._holder:
                        log().warning("lease.taken_over", silent=value.decode(errors="replace"))
                    return
            except Moved:
                continue
            except ConnectionError as error:
                log().warning("lease.waiting", reason=str(error))
                await asyncio.sleep(self._seconds / _RENEWALS)
            else:
                await self._bucket.wait(self._seconds / _RENEWALS)

    async def keep(self) -> None:
        """Renew it; return when it is lost, or may be because the broker does not answer."""
        clock = asyncio.get_running_loop().time
        renewed = clock()
        while clock() - renewed < self._seconds:
            await asyncio.sleep(self._seconds / _RENEWALS)
            try:
                self._revision = await self._bucket.put(self._key, self._holder, self._revision)
                renewed = clock()
            except Moved:
                if not await self._is_ours():
                    break
            except ConnectionError as error:
                log().warning("lease.not_renewed", reason=str(error))
        log().warning("lease.lost")

    async def release(self) -> None:
        """Let the next one have it at once, if it is still ours."""
        try:
            await self._bucket.put(self._key, b"", self._revision)
        except (Moved, ConnectionError) as error:
            log().warning("lease.not_released", reason=str(error) or "taken over")

    async def _is_ours(self) -> bool:
        """Whether the value is ours all the same: a renewal was kept although no answer came."""
        try:
            value, revision = await self._bucket.get(self._key)
        except ConnectionError:
            return True  # unknown: the next renewal tells
        if ours := value == self._holder:
            self._revision = revision
        return ours
