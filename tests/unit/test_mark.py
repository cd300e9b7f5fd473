"""Waiting until something is counted."""

import asyncio

from service.storage.mark import Mark
from service.storage.protocol import Progress


async def test_who_waits_is_told_when_the_position_is_reached_and_not_before():
    mark = Mark()
    waiting = asyncio.create_task(mark.wait(2, timeout=30))
    mark.advance(Progress(sequence=1))
    await asyncio.sleep(0)
    assert not waiting.done()
    mark.advance(Progress(sequence=2))
    assert await waiting


async def test_what_is_counted_already_is_not_waited_for():
    assert await Mark(Progress(sequence=5)).wait(5, timeout=0)


async def test_waiting_ends_after_the_timeout():
    assert not await Mark().wait(1, timeout=0.001)


async def test_a_later_epoch_has_passed_every_position_of_an_earlier_one():
    mark = Mark()
    mark.advance(Progress(epoch=1, sequence=1))
    assert await mark.wait(Progress(epoch=0, sequence=10**9).position, timeout=0)
