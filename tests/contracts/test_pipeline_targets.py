"""What every target of pipelines promises, on real systems behind a network that breaks."""

from collections import defaultdict
from collections.abc import AsyncIterator, Sequence

import pytest

from service.errors import TargetUnavailable
from service.pipelines.connectors.protocol import Target
from service.pipelines.model import Outgoing
from tests.contracts.targets import BENCHES, Bench, going


@pytest.fixture(params=BENCHES)
async def bench(request: pytest.FixtureRequest) -> AsyncIterator[Bench]:
    async with BENCHES[request.param](request) as made:
        yield made


async def sent(target: Target, batch: Sequence[Outgoing]) -> None:
    """Write as a pipeline does: again, for as long as the target does not answer."""
    for _ in range(5):
        try:
            assert await target.write(batch) == []
        except TargetUnavailable:
            continue
        return
    raise AssertionError("the target never answered")


async def assert_holds(bench: Bench, batch: Sequence[Outgoing]) -> None:
    """Each of them, once."""
    assert sorted(one["n"] for one in await bench.held("orders")) == [
        one.record["n"] for one in batch
    ]


async def test_what_is_written_is_there_once(bench: Bench) -> None:
    target = await bench.open()
    first, second = going(1, 300), going(2, 300)
    assert await target.write(first) == []
    assert await target.write(second) == []
    assert await target.write([]) == []
    await target.close()
    await assert_holds(bench, [*first, *second])


async def test_records_of_one_primary_key_keep_their_order(bench: Bench) -> None:
    target = await bench.open(table="by_id")
    for sequence in (1, 2):
        await sent(target, batch := going(sequence, 300, primary_key=["id"]))
    await target.close()
    found = defaultdict(list)
    for record in await bench.held("by_id"):
        found[record["id"]].append(record["n"])
    assert all(numbers == sorted(numbers) for numbers in found.values())
    assert {name: numbers[-1] for name, numbers in found.items()} == {
        one.record["id"]: one.record["n"] for one in batch
    }


async def test_a_batch_whose_answer_got_lost_is_there_once(bench: Bench) -> None:
    target = await bench.open()
    first, second = going(1, 100), going(2, 100)
    await sent(target, first)
    bench.proxy.loses_answers_from = bench.last_word
    with pytest.raises(TargetUnavailable):
        await target.write(second)
    bench.proxy.heal()
    await sent(target, second)
    await target.close()
    await assert_holds(bench, [*first, *second])


async def test_a_batch_that_never_arrived_is_there_once_when_it_came_again(bench: Bench) -> None:
    target = await bench.open()
    await sent(target, first := going(1, 10))
    bench.proxy.loses_requests = True
    with pytest.raises(TargetUnavailable):
        await target.write(second := going(2, 100))
    bench.proxy.heal()
    await sent(target, second)
    await target.close()
    await assert_holds(bench, [*first, *second])


async def test_a_batch_that_was_cut_off_in_the_middle_is_completed(bench: Bench) -> None:
    target = await bench.open()
    await sent(target, first := going(1, 10))
    bench.proxy.cut_after(200_000)
    await sent(target, second := going(2, 3000, size=300))
    await target.close()
    await assert_holds(bench, [*first, *second])


async def test_another_worker_goes_on_behind_what_the_target_says_that_it_holds(
    bench: Bench,
) -> None:
    dying = await bench.open()
    await sent(dying, first := going(1, 100))
    bench.proxy.loses_answers_from = bench.last_word
    with pytest.raises(TargetUnavailable):
        await dying.write(second := going(2, 100))
    bench.proxy.heal()
    await dying.close()
    target = await bench.open()
    held = await target.written()
    everything = [*first, *second, *going(3, 100)]
    await sent(target, [one for one in everything if held is None or one.place > held])
    await target.close()
    await assert_holds(bench, everything)


async def test_a_new_subscription_holds_nothing_yet(bench: Bench) -> None:
    target = await bench.open()
    await sent(target, going(1, 10))
    await target.close()
    other = await bench.open("another")
    assert await other.written() is None
    await other.close()


async def test_a_subscription_that_was_turned_back_writes_its_records_again(bench: Bench) -> None:
    target = await bench.open()
    await sent(target, batch := going(1, 10))
    await target.close()
    turned = await bench.open(turned=1)
    assert await turned.written() is None
    await sent(turned, batch)
    await turned.close()
    assert len(await bench.held("orders")) == 20


async def test_a_system_that_is_away_is_told_and_met_again(bench: Bench) -> None:
    target = await bench.open()
    bench.proxy.refuses = True
    bench.proxy.cut()
    with pytest.raises(TargetUnavailable):
        await target.ping()
    with pytest.raises(TargetUnavailable):
        await target.write(batch := going(1, 10))
    bench.proxy.heal()
    await sent(target, batch)
    await target.ping()
    await target.close()
    await assert_holds(bench, batch)


async def test_a_slow_network_loses_and_doubles_nothing(bench: Bench) -> None:
    target = await bench.open()
    bench.proxy.latency = 0.02
    await sent(target, batch := going(1, 200))
    await target.close()
    await assert_holds(bench, batch)
