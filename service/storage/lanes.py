"""Threads that each own one connection: how an engine that blocks is asked from many tasks."""

import asyncio
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from typing import Generic, TypeVar

_INTERRUPT_EVERY = 0.02
"""Seconds between interrupts of a query that must end: one sent before it begins is lost."""

Connection = TypeVar("Connection")
Answer = TypeVar("Answer")
Interrupt = Callable[[Connection], None]


class Lane(Generic[Connection]):
    """A connection and the one thread that uses it."""

    connection: Connection

    def __init__(self, name: str, interrupt: Interrupt[Connection]) -> None:
        self.thread = ThreadPoolExecutor(1, thread_name_prefix=name)
        self._interrupt = interrupt

    async def run(self, work: Callable[[Connection], Answer]) -> Answer:
        """Do `work` in the thread; a cancelled caller interrupts it and waits for its end.

        However often he is cancelled: an interrupt that came later would meet the next one's work.
        """
        running = asyncio.get_running_loop().run_in_executor(self.thread, work, self.connection)
        try:
            return await asyncio.shield(running)
        except asyncio.CancelledError:
            await _to_its_end(asyncio.ensure_future(self._stop(running)))
            raise

    async def _stop(self, running: "asyncio.Future[Answer]") -> None:
        while not running.done():
            await asyncio.to_thread(self._interrupt, self.connection)
            await asyncio.wait([running], timeout=_INTERRUPT_EVERY)
        running.exception()


async def _to_its_end(ending: asyncio.Future[None]) -> None:
    while not ending.done():
        with suppress(asyncio.CancelledError):
            await asyncio.shield(ending)


class Lanes(Generic[Connection]):
    """A few lanes for one kind of work; a borrower has one to himself."""

    def __init__(self, name: str, size: int, interrupt: Interrupt[Connection]) -> None:
        self.members = [Lane(name, interrupt) for _ in range(size)]
        self._free: asyncio.Queue[Lane[Connection]] = asyncio.Queue()
        for lane in self.members:
            self._free.put_nowait(lane)

    @asynccontextmanager
    async def borrow(self) -> AsyncIterator[Lane[Connection]]:
        lane = await self._free.get()
        try:
            yield lane
        finally:
            self._free.put_nowait(lane)

    @asynccontextmanager
    async def borrow_all(self) -> AsyncIterator[list[Lane[Connection]]]:
        async with AsyncExitStack() as borrowed:
            yield [await borrowed.enter_async_context(self.borrow()) for _ in self.members]
