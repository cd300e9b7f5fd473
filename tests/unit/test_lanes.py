"""A thread with one connection belongs to one caller at a time, also while he gives up."""

import asyncio
from threading import Event

import pytest

from service.storage.lanes import Lane


class Engine:
    """Works until it is interrupted; an interrupt lasts until it is `let_go`."""

    def __init__(self) -> None:
        self.begun, self.interrupted, self.let_go, self.ended = (Event() for _ in range(4))

    def work(self) -> None:
        self.begun.set()
        self.ended.wait()

    def interrupt(self) -> None:
        self.interrupted.set()
        self.let_go.wait()
        self.ended.set()


async def test_a_caller_who_gives_up_again_and_again_stays_until_no_interrupt_is_on_its_way():
    engine = Engine()
    lane = Lane("test", Engine.interrupt)
    lane.connection = engine
    asking = asyncio.create_task(lane.run(Engine.work))
    await asyncio.to_thread(engine.begun.wait)
    asking.cancel()
    await asyncio.to_thread(engine.interrupted.wait)
    for _ in range(10):
        asking.cancel()
        await asyncio.sleep(0)
    assert not asking.done()
    engine.let_go.set()
    with pytest.raises(asyncio.CancelledError):
        await asking
    lane.thread.shutdown()
