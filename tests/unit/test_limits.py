"""Limits: how often something may be done in any span of time."""

import pytest

from service.errors import RateLimited
from service.limits import Limit, LocalLimits

TWICE = Limit("twice", 2, 10)


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock():
    return Clock()


async def wait_of(limits: LocalLimits, limit: Limit = TWICE, of: str = "ada") -> float:
    """Seconds to wait; 0 when it may be done now."""
    try:
        await limits.take(limit, of)
    except RateLimited as error:
        return error.retry_after
    return 0


async def test_one_too_many_has_to_wait_until_the_oldest_is_out_of_the_window(clock):
    limits = LocalLimits(clock=clock)
    waits = []
    for clock.now in (0, 4, 5, 9.5, 10, 13.5, 14):
        waits.append(await wait_of(limits))
    assert waits == [0, 0, 5, 0.5, 0, 0.5, 0]


async def test_a_refused_use_does_not_count(clock):
    limits = LocalLimits(clock=clock)
    for _ in range(50):
        await wait_of(limits)
    clock.now = 10
    assert await wait_of(limits) == 0


async def test_callers_and_limits_are_counted_apart(clock):
    limits = LocalLimits(clock=clock)
    other = Limit("other", 2, 10)
    for limit, of in ((TWICE, "ada"), (TWICE, "ada"), (other, "ada"), (TWICE, "bob")):
        assert await wait_of(limits, limit, of) == 0
    assert await wait_of(limits, TWICE, "ada") > 0


async def test_memory_is_bounded_whoever_calls(clock):
    limits = LocalLimits(most_kept=100, clock=clock)
    for number in range(1000):
        await limits.take(TWICE, str(number))
    assert len(limits._uses) == 100
