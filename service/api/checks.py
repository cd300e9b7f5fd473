"""Something that is looked at when somebody asks: however many ask, once a second."""

import asyncio
import time
from collections.abc import Awaitable, Callable

from service.telemetry import log

CHECK_SECONDS = 1.0
"""How long a check may take, and how long its result is kept."""

Ping = Callable[[], Awaitable[None]]


class Check:
    """One dependency's ping: capped in time, shared by all who ask, kept for a second."""

    def __init__(self, name: str, ping: Ping) -> None:
        self._name = name
        self._ping = ping
        self._checked_at = 0.0
        self._flight: asyncio.Task[bool] | None = None

    async def up(self) -> bool:
        """Whether it answered, without an error and in time."""
        if self._flight is None or (
            self._flight.done() and time.monotonic() - self._checked_at > CHECK_SECONDS
        ):
            self._flight = asyncio.create_task(self._check())
        return await asyncio.shield(self._flight)

    async def _check(self) -> bool:
        try:
            async with asyncio.timeout(CHECK_SECONDS):
                await self._ping()
        except Exception as error:
            log().warning("api.health.down", part=self._name, error=repr(error))
            return False
        finally:
            self._checked_at = time.monotonic()
        return True
