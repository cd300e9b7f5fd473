"""How a process is told to end: SIGTERM or Ctrl-C, at any time, also while it still starts."""

import asyncio
import signal
from collections.abc import AsyncIterator, Awaitable
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from typing import Any, TypeVar

T = TypeVar("T")


class ToldToEnd(Exception):
    """The process was told to end before it had started."""


def told_to_end() -> asyncio.Event:
    """Set by SIGTERM and SIGINT from now on."""
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    return stop


async def first_of(*waiting: Awaitable[Any]) -> None:
    """Return when one of them is done, the others cancelled; raises what the done one raised."""
    tasks = [asyncio.ensure_future(one) for one in waiting]
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        await cancelled(*tasks)
    for task in done:
        task.result()


async def cancelled(*tasks: asyncio.Future[Any]) -> None:
    """Cancel, and return when all have ended.

    Once is not always enough: `asyncio.wait_for` (before Python 3.12) forgets that it was cancelled
    when what it waits for is done at the same moment.
    """
    while waited := [task for task in tasks if not task.done()]:
        for task in waited:
            task.cancel()
        await asyncio.wait(waited, timeout=1)


@asynccontextmanager
async def opened(parts: AbstractAsyncContextManager[T], stop: asyncio.Event) -> AsyncIterator[T]:
    """What `parts` opens; raises ToldToEnd when `stop` is set before it is there."""
    async with AsyncExitStack() as open_parts:
        opening = asyncio.create_task(open_parts.enter_async_context(parts))
        try:
            await first_of(asyncio.shield(opening), stop.wait())
        finally:
            await cancelled(opening)
        if opening.cancelled():
            raise ToldToEnd
        yield opening.result()
