"""The gate before an API: closed while it asks for a pause, or fails again and again."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from circuitbreaker import STATE_HALF_OPEN, CircuitBreaker

from service.delivery.config import Settings
from service.delivery.outcomes import Down, Retry

_LOOK = 0.05


class Gate:
    """Lets tries through, one at a time when it is not known yet whether the API is well again.

    `Retry-After` of one answer holds back every try. After `breaker_failures` failures in a row
    nothing passes for `breaker_pause` seconds; when the API is not back after `breaker_patience`
    seconds, waiting ends with Down.
    """

    def __init__(self, settings: Settings) -> None:
        self._breaker = CircuitBreaker(
            failure_threshold=settings.breaker_failures,
            recovery_timeout=settings.breaker_pause,
            expected_exception=_counts,
        )
        self._patience = settings.breaker_patience
        self._longest = settings.longest_retry_after
        self._not_before = 0.0
        self._down_since: float | None = None
        self._probe = asyncio.Lock()

    @property
    def closed_for(self) -> float:
        """Seconds until something may pass; 0 when it may now."""
        asked = self._not_before - time.monotonic()
        broken = self._breaker.open_remaining if self._breaker.opened else 0
        return max(0.0, asked, broken)

    @asynccontextmanager
    async def passing(self) -> AsyncIterator[None]:
        """A try, when it may be made; what it raises is counted. Raises Down."""
        await self._wait()
        if self._breaker.state != STATE_HALF_OPEN:
            async with self._counted():
                yield
            return
        async with self._probe:
            await self._wait()
            async with self._counted():
                yield

    @asynccontextmanager
    async def _counted(self) -> AsyncIterator[None]:
        try:
            with self._breaker:
                yield
        except Retry as error:
            self._hold_back(error)
            raise
        self._down_since = None

    def _hold_back(self, error: Retry) -> None:
        now = time.monotonic()
        asked = min(error.after, self._longest)
        self._not_before = max(self._not_before, now + asked if asked else 0.0)
        if self._breaker.opened and self._down_since is None:
            self._down_since = now

    async def _wait(self) -> None:
        while left := self.closed_for:
            if self._down_since is not None:
                down = time.monotonic() - self._down_since
                if down > self._patience:
                    raise Down(f"no answer for {down:.0f} s: {self._breaker.last_failure}")
            await asyncio.sleep(min(left, _LOOK))


def _counts(_: type[BaseException], error: BaseException) -> bool:
    """Whether it speaks of an API that is not well; one that asks to wait is."""
    return isinstance(error, Retry) and error.status != 429
