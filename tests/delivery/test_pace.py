"""The delay between batches, and the gate that closes while an API is not well."""

import asyncio

import pytest

from service.delivery.config import Settings
from service.delivery.gate import Gate
from service.delivery.outcomes import Retry, Stopped
from service.delivery.pace import Pace, adaptive_delay


@pytest.mark.parametrize(
    ("response_time", "success_rate", "delay"),
    [(0.5, 1.0, 0.1), (2.5, 1.0, 0.2), (0.5, 0.5, 0.15), (2.5, 0.5, 0.3), (2.0, 0.8, 0.1)],
)
def test_the_first_step_is_that_of_the_integration_guide(response_time, success_rate, delay):
    assert adaptive_delay(response_time, success_rate) == pytest.approx(delay)


def test_the_delay_grows_while_the_api_is_slow_to_two_seconds_and_shrinks_again():
    slow, well = [0.1], [2.0]
    for _ in range(6):
        slow.append(adaptive_delay(3.0, 1.0, slow[-1]))
        well.append(adaptive_delay(0.1, 1.0, well[-1]))
    assert slow == pytest.approx([0.1, 0.2, 0.4, 0.8, 1.6, 2.0, 2.0])
    assert well == pytest.approx([2.0, 1.0, 0.5, 0.25, 0.125, 0.1, 0.1])


async def test_a_batch_that_failed_makes_the_next_one_wait_longer():
    pace = Pace(Settings(adaptive=True, batch_size=2, delay_between_batches=0.01))
    for _ in range(3):
        await pace.turn(1)
        pace.note(0.1, good=False)
    assert pace.delay == pytest.approx(0.015)


async def test_without_being_told_to_nothing_waits():
    pace = Pace(Settings(batch_size=1))
    for _ in range(100):
        await pace.turn(1)
    assert pace.delay == 0


def a_gate(**settings: float) -> Gate:
    told = {"breaker_failures": 2, "breaker_pause": 0.05, "breaker_patience": 60, **settings}
    return Gate(Settings(**told))  # type: ignore[arg-type]


async def fail(gate: Gate, error: Exception) -> None:
    with pytest.raises(type(error)):
        async with gate.passing():
            raise error


async def test_failures_in_a_row_close_the_gate_and_one_success_opens_it():
    gate = a_gate()
    for _ in range(2):
        await fail(gate, Retry("500", 500))
    assert gate.closed_for > 0
    async with gate.passing():
        pass
    assert gate.closed_for == 0


async def test_while_it_is_not_known_whether_the_api_is_well_one_try_passes_at_a_time():
    gate, inside, most = a_gate(breaker_pause=0.01), 0, 0
    for _ in range(2):
        await fail(gate, Retry("500", 500))

    async def pass_through() -> None:
        nonlocal inside, most
        async with gate.passing():
            inside += 1
            most = max(most, inside)
            await asyncio.sleep(0)
            inside -= 1

    await asyncio.gather(*(pass_through() for _ in range(5)))
    assert most == 1


async def test_an_api_that_asks_to_wait_holds_back_everybody_and_is_not_broken():
    gate = a_gate()
    for _ in range(3):
        await fail(gate, Retry("429", 429, after=0.0))
    assert gate.closed_for == 0
    await fail(gate, Retry("429", 429, after=30.0))
    assert 0 < gate.closed_for <= 30


async def test_patience_with_an_api_that_does_not_come_back_ends():
    gate = a_gate(breaker_pause=60, breaker_patience=0)
    for _ in range(2):
        await fail(gate, Retry("500", 500))
    with pytest.raises(Stopped, match="no answer for"):
        async with gate.passing():
            pass
