"""What every source of pipelines promises, on real systems behind a network that breaks."""

import json
from collections.abc import AsyncIterator, Sequence

import pytest

from service.errors import SourceUnavailable
from service.pipelines.connectors.protocol import Source
from service.pipelines.model import Cursor, SourceMessage
from tests.contracts.sources import BENCHES, Bench

WAIT = 0.2


@pytest.fixture(params=BENCHES)
async def bench(request: pytest.FixtureRequest) -> AsyncIterator[Bench]:
    async with BENCHES[request.param](request) as made:
        yield made


async def taken(
    source: Source, count: int, after: Cursor | None = None, most: int = 40
) -> tuple[Sequence[SourceMessage], Cursor | None]:
    """So many messages, or more, and the cursor after them; it goes through JSON on the way."""
    messages: list[SourceMessage] = []
    for _ in range(200):
        if len(messages) >= count:
            break
        try:
            got = await source.read(after, most, WAIT)
        except SourceUnavailable:
            continue
        assert len(got.messages) <= most
        messages += got.messages
        after = json.loads(json.dumps(got.cursor))
    return messages, after


def numbers(messages: Sequence[SourceMessage]) -> Sequence[int]:
    return [int(message.value["n"]) for message in messages]


async def test_every_record_is_read_once(bench: Bench) -> None:
    await bench.put(300)
    source = await bench.open()
    messages, _ = await taken(source, 300)
    await source.close()
    assert sorted(numbers(messages)) == list(range(300))


async def test_records_of_one_key_keep_their_order(bench: Bench) -> None:
    await bench.put(300)
    source = await bench.open()
    messages, _ = await taken(source, 300)
    await source.close()
    for key in {message.key for message in messages}:
        of_key = numbers([message for message in messages if message.key == key])
        assert of_key == sorted(of_key)


async def test_one_that_is_opened_anew_goes_on_behind_the_cursor(bench: Bench) -> None:
    await bench.put(100)
    source = await bench.open()
    first, cursor = await taken(source, 60)
    await source.close()
    source = await bench.open()
    second, _ = await taken(source, 100 - len(first), cursor)
    await source.close()
    assert sorted(numbers([*first, *second])) == list(range(100))


async def test_the_same_cursor_gives_the_same_records_again(bench: Bench) -> None:
    await bench.put(100)
    source = await bench.open()
    first, cursor = await taken(source, 30)
    once, _ = await taken(source, 100 - len(first), cursor)
    again, _ = await taken(source, 100 - len(first), cursor)
    from_the_beginning, _ = await taken(source, 100)
    await source.close()
    assert sorted(numbers(once)) == sorted(numbers(again))
    assert sorted(numbers(from_the_beginning)) == list(range(100))


async def test_records_that_come_later_are_found(bench: Bench) -> None:
    await bench.put(10)
    source = await bench.open()
    _, cursor = await taken(source, 10)
    nothing = await source.read(cursor, 10, WAIT)
    await bench.put(10)
    messages, _ = await taken(source, 10, nothing.cursor)
    await source.close()
    assert not nothing.messages
    assert sorted(numbers(messages)) == list(range(10, 20))


async def test_a_network_that_is_cut_loses_no_record(bench: Bench) -> None:
    if bench.proxy is None:
        pytest.skip("it is read without a network")
    await bench.put(200)
    source = await bench.open()
    first, cursor = await taken(source, 50)
    bench.proxy.cut()
    second, _ = await taken(source, 200 - len(first), cursor)
    await source.close()
    assert sorted(numbers([*first, *second])) == list(range(200))


@pytest.mark.parametrize("fault", ["loses_requests", "loses_answers", "refuses"])
async def test_a_network_that_goes_silent_is_told(bench: Bench, fault: str) -> None:
    if bench.proxy is None:
        pytest.skip("it is read without a network")
    await bench.put(10)
    source = await bench.open()
    setattr(bench.proxy, fault, True)
    if fault == "refuses":
        bench.proxy.cut()
    with pytest.raises(SourceUnavailable):
        await source.ping()
    setattr(bench.proxy, fault, False)
    bench.proxy.cut()
    messages, _ = await taken(source, 10)
    await source.close()
    assert sorted(numbers(messages)) == list(range(10))
