"""Work on requests begins in the order in which they came, as much at a time as is bearable."""

import asyncio

import pytest

from service.errors import IngestionUnavailable
from service.turns import Turns


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def begin(turns: Turns, weight: int) -> asyncio.Task[None]:
    return asyncio.create_task(turns.begin(weight))


async def settled() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


async def test_what_fits_begins_at_once_and_what_does_not_in_the_order_in_which_it_came():
    turns = Turns(at_work=10)
    tasks = [begin(turns, weight) for weight in (6, 4, 5, 1)]
    await settled()
    assert [task.done() for task in tasks] == [True, True, False, False]
    turns.end(4)
    await settled()
    assert not tasks[3].done(), "a small one does not overtake"
    turns.end(6)
    await settled()
    assert all(task.done() for task in tasks)


async def test_what_is_larger_than_all_that_may_be_at_work_is_alone_at_it():
    turns = Turns(at_work=10)
    large, small = begin(turns, 50), begin(turns, 1)
    await settled()
    assert (large.done(), small.done()) == (True, False)
    turns.end(50)
    await asyncio.wait_for(small, 30)


async def test_who_waits_too_long_is_told_to_come_again_and_holds_up_nobody():
    turns = Turns(at_work=10, patience=0.01)
    async with turns.turn(10):
        with pytest.raises(IngestionUnavailable) as refused:
            await turns.begin(1)
    assert refused.value.retry_after == 2
    async with turns.turn(10):
        turns.look()


async def test_no_more_is_read_while_somebody_has_waited_for_half_of_the_patience():
    clock = Clock()
    turns = Turns(at_work=10, patience=30.0, clock=clock)
    await turns.begin(10)
    waiting = begin(turns, 1)
    await settled()
    turns.look()
    clock.now = 15.1
    with pytest.raises(IngestionUnavailable):
        turns.look()
    turns.end(10)
    await waiting
    turns.look()


async def test_no_more_is_read_while_too_much_waits():
    turns = Turns(at_work=10, waiting=20)
    await turns.begin(10)
    waiting = [begin(turns, 10) for _ in range(2)]
    await settled()
    with pytest.raises(IngestionUnavailable):
        turns.look()
    for task in waiting:
        turns.end(10)
        await task
    turns.look()


@pytest.mark.parametrize("its_turn_came", [False, True])
async def test_who_hangs_up_leaves_his_place_to_others(its_turn_came):
    turns = Turns(at_work=10)
    await turns.begin(10)
    gone, other = begin(turns, 10), begin(turns, 10)
    await settled()
    if its_turn_came:
        turns.end(10)
    gone.cancel()
    await settled()
    if not its_turn_came:
        turns.end(10)
    await asyncio.wait_for(other, 30)


async def test_work_that_fails_makes_room_too():
    turns = Turns(at_work=10)
    with pytest.raises(ZeroDivisionError):
        async with turns.turn(10):
            raise ZeroDivisionError
    await asyncio.wait_for(turns.begin(10), 30)
