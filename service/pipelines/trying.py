"""How a pipeline tries again: with growing pauses and jitter, until it works, is told to stop, or
has tried for so long that a person has to look.
"""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Protocol, TypeVar

from tenacity import (
    AsyncRetrying,
    RetryCallState,
    retry_if_exception_type,
    stop_after_delay,
    stop_never,
    wait_random_exponential,
)
from tenacity.stop import stop_base

from service.errors import ConnectorBroken
from service.pipelines.watching import Watch

T = TypeVar("T")

FIRST_PAUSE = 0.1
LONGEST_PAUSE = 30.0
CLOSE_TIMEOUT = 5.0


class Stopped(Exception):
    """Told to stop while it tried."""


class Closing(Protocol):
    async def close(self) -> None: ...


class Trying:
    """The tries of one part of a pipeline."""

    def __init__(self, stop: asyncio.Event, watch: Watch, give_up: float) -> None:
        """`give_up`: seconds without success after which it is given up."""
        self._stop = stop
        self._watch = watch
        self._give_up = give_up

    @property
    def stopped(self) -> bool:
        return self._stop.is_set()

    async def until_done(self, step: Callable[[], Awaitable[T]], failure: type[Exception]) -> T:
        """What `step` gives, once it does not raise the `failure`.

        Raises Stopped, and ConnectorBroken when it is given up.
        """
        try:
            return await self._tried(step, failure, stop_after_delay(self._give_up))
        except failure as error:
            about = f"given up after {self._give_up:g} s: {error or type(error).__name__}"
            raise ConnectorBroken(about) from error

    async def until_there(self, step: Callable[[], Awaitable[T]]) -> T:
        """What `step` gives, once our own broker answers; it is waited for as long as it takes.

        Raises Stopped.
        """
        return await self._tried(step, ConnectionError, stop_never)

    async def _tried(
        self, step: Callable[[], Awaitable[T]], failure: type[Exception], stop: stop_base
    ) -> T:
        tries = AsyncRetrying(
            wait=wait_random_exponential(FIRST_PAUSE, max=LONGEST_PAUSE),
            stop=stop,
            retry=retry_if_exception_type(failure),
            sleep=self._wait,
            before_sleep=self._note,
            reraise=True,
        )
        async for attempt in tries:
            with attempt:
                done = await step()
        self._watch.works()
        return done

    async def sleep(self, seconds: float) -> None:
        """Wait so long, or until told to stop."""
        with suppress(TimeoutError):
            await asyncio.wait_for(self._stop.wait(), seconds)

    async def _wait(self, seconds: float) -> None:
        await self.sleep(seconds)
        if self._stop.is_set():
            raise Stopped

    def _note(self, state: RetryCallState) -> None:
        error = state.outcome.exception() if state.outcome else None
        self._watch.failed(str(error) or type(error).__name__, state.attempt_number)


async def closed(part: Closing) -> None:
    """Close it; what goes wrong then, or hangs, harms nobody."""
    with suppress(Exception):
        async with asyncio.timeout(CLOSE_TIMEOUT):
            await part.close()
