"""How a process is told to end: SIGTERM or Ctrl-C, at any time, also while it still starts."""

import asyncio
import signal
from collections.abc import AsyncIterator, Awaitable, Callable
from concurrent.futures import Future
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager, suppress
from threading import Thread
from typing import Any, TypeVar

T = TypeVar("T")


class ToldToEnd(Exception):
    """The process was told to end before what it was about had begun."""


def told_to_end() -> asyncio.Event:
    """Set by SIGTERM and SIGINT from now on."""
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    return stop


def told_to_end_twice() -> tuple[asyncio.Event, asyncio.Event]:
    """Set by the first SIGTERM or SIGINT from now on, and by the second; a third one kills."""
    stop, at_once = asyncio.Event(), asyncio.Event()
    loop = asyncio.get_running_loop()

    def tell() -> None:
        if stop.is_set():
            at_once.set()
            for number in (signal.SIGINT, signal.SIGTERM):
                loop.remove_signal_handler(number)
                signal.signal(number, signal.SIG_DFL)
        stop.set()

    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, tell)
    return stop, at_once


async def unless_told(stop: asyncio.Event, work: Callable[[], T]) -> T:
    """What `work` gives, in a thread that nobody waits for once `stop` is set: ToldToEnd then."""
    loop, there = asyncio.get_running_loop(), asyncio.Event()
    found: Future[T] = Future()

    def run() -> None:
        try:
            found.set_result(work())
        except BaseException as error:
            found.set_exception(error)
        with suppress(RuntimeError):  # nobody waits any more
            loop.call_soon_threadsafe(there.set)

    Thread(target=run, daemon=True).start()
    await first_of(there.wait(), stop.wait())
    if not found.done():
        raise ToldToEnd
    return found.result()


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
