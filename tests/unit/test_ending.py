"""How a process is told to end, also while it still waits for something to be there."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from service.ending import ToldToEnd, cancelled, first_of, opened


@asynccontextmanager
async def parts(waits: float, log: list[str]) -> AsyncIterator[str]:
    try:
        await asyncio.sleep(waits)
        yield "open"
    finally:
        log.append("closed")


async def test_what_is_opened_is_given_and_closed():
    log: list[str] = []
    async with opened(parts(0, log), asyncio.Event()) as there:
        assert (there, log) == ("open", [])
    assert log == ["closed"]


async def test_told_to_end_while_opening_it_gives_up_at_once_and_closes():
    log: list[str] = []
    stop = asyncio.Event()
    asyncio.get_running_loop().call_later(0.01, stop.set)
    async with asyncio.timeout(1):
        with pytest.raises(ToldToEnd):
            async with opened(parts(60, log), stop):
                raise AssertionError("it never opened")
    assert log == ["closed"]


async def test_what_cannot_be_opened_raises_its_own_error():
    @asynccontextmanager
    async def broken() -> AsyncIterator[None]:
        raise OSError("no such disk")
        yield

    with pytest.raises(OSError, match="no such disk"):
        async with opened(broken(), asyncio.Event()):
            pass


async def test_the_first_that_is_done_ends_the_wait_and_the_others():
    slow = asyncio.create_task(asyncio.sleep(60))
    await first_of(slow, asyncio.sleep(0))
    assert slow.cancelled()


async def test_a_task_that_forgets_one_cancelling_is_cancelled_again():
    async def forgets() -> None:
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            await asyncio.sleep(60)

    task = asyncio.create_task(forgets())
    await asyncio.sleep(0)
    await cancelled(task)
    assert task.cancelled()
