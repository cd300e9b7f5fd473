"""Limits of one process: what the window that slides promises, by a clock that tests move."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.errors import RateLimited
from service.limits import PARTS, Limit, LocalLimits

TWICE = Limit("twice", 2, 10)
TEN = Limit("ten", 10, 60)


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock():
    return Clock()


async def wait_of(limits: LocalLimits, limit: Limit = TWICE, of: str = "ada", cost: int = 1):
    """Seconds to wait; 0 when it may be done now."""
    try:
        await limits.take(limit, of, cost)
    except RateLimited as error:
        return error.retry_after
    return 0


async def test_one_too_many_has_to_wait_until_the_oldest_is_out_of_the_window(clock):
    limits = LocalLimits(clock=clock)
    waits = []
    for clock.now in (0, 4, 5, 9.5, 10, 13.5, 14):
        waits.append(await wait_of(limits))
    assert waits == [0, 0, 5, 0.5, 0, 0.5, 0]


async def test_a_dear_use_waits_until_enough_of_the_old_ones_are_forgotten(clock):
    limits = LocalLimits(clock=clock)
    for clock.now in (0, 10, 20):
        await limits.take(TEN, "ada", 3)
    assert [await wait_of(limits, TEN, cost=cost) for cost in (2, 5, 8)] == [40, 50, 60]


async def test_uses_close_together_are_forgotten_with_the_last_of_them(clock):
    limits = LocalLimits(clock=clock)
    for clock.now in (0, 0.1, 0.4):
        await limits.take(TEN, "ada")
    clock.now = 60.3
    assert (await limits.take(TEN, "ada")).left == 6
    clock.now = 60.4
    assert (await limits.take(TEN, "ada")).left == 8


uses = st.lists(st.tuples(st.floats(0, 20), st.integers(1, 4)), max_size=60)


@given(uses)
async def test_no_span_has_more_than_the_limit_and_none_is_refused_without_need(uses):
    clock, passed = Clock(), []
    limits = LocalLimits(clock=clock)
    for pause, cost in uses:
        clock.now += pause
        refused = await wait_of(limits, TEN, cost=cost) > 0
        strict = sum(worth for at, worth in passed if at + TEN.seconds > clock.now)
        late = TEN.seconds + TEN.part
        lenient = sum(worth for at, worth in passed if at + late > clock.now)
        assert not (refused and lenient + cost <= TEN.times)
        assert refused or strict + cost <= TEN.times
        passed += [] if refused else [(clock.now, cost)]


@given(uses)
async def test_after_the_wait_there_is_room_and_not_before(uses):
    clock = Clock()
    limits = LocalLimits(clock=clock)
    for pause, cost in uses:
        clock.now += pause
        if wait := await wait_of(limits, TEN, cost=cost):
            clock.now += wait * 0.99
            assert await wait_of(limits, TEN, cost=cost) > 0
            clock.now += wait * 0.01 + 1e-6
            assert await wait_of(limits, TEN, cost=cost) == 0


async def test_what_another_let_through_counts_here_too(clock):
    limits = LocalLimits(clock=clock)
    limits.note(TWICE, "ada", 2)
    assert await wait_of(limits) == 10


async def test_memory_is_bounded_whoever_calls(clock):
    limits = LocalLimits(most_kept=100, clock=clock)
    for number in range(1000):
        await limits.take(TWICE, str(number))
    assert len(limits._callers) == 100


async def test_memory_is_bounded_however_often_somebody_calls(clock):
    limits, often = LocalLimits(clock=clock), Limit("often", 100_000, 60)
    for number in range(20_000):
        clock.now = number / 100
        await limits.take(often, "ada")
    (kept,) = limits._callers.values()
    assert len(kept._sums) <= PARTS + 2
