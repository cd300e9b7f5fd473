"""Pipelines at work on a real broker: every record arrives once, whatever fails on its way."""

import asyncio
from dataclasses import replace

import msgspec
import pytest

from service.pipelines.bus import open_bus
from service.pipelines.model import ConnectorConfig, SubscriptionConfig
from service.pipelines.positions import Positions
from service.pipelines.refusals import open_refusals
from service.stream.jetstream import open_jetstream
from service.stream.nats_child import NatsChild
from tests.delivery.api import Api, serving
from tests.piping import (
    Board,
    a_subscription,
    an_assignment,
    assert_whole,
    carrying,
    parts_of,
    rows,
    until,
)


@pytest.fixture
async def stream(tmp_path):
    child = NatsChild(tmp_path / "stream")
    await child.start()
    opened = await open_jetstream(child.url, 1 << 28, 120)
    yield opened
    await opened.close()
    await child.stop()


@pytest.fixture
def file(tmp_path):
    return tmp_path / "target.sqlite"


def has(file, records):
    return lambda: len(rows(file)) >= records


async def test_every_record_arrives_once_and_in_order(stream, file):
    board = Board(an_assignment(a_subscription(file), records=3000))
    async with carrying(stream, await parts_of(stream, board, "w")):
        await until(has(file, 3000))
        await until(lambda: board.states.get("p") == ("live", ""))
    assert_whole(file, 3000)


async def test_a_pipeline_that_is_deleted_while_it_runs_leaves_nothing_on_the_broker(stream, file):
    board = Board(an_assignment(a_subscription(file, refuses=7), records=1_000_000_000))
    async with carrying(stream, await parts_of(stream, board, "w")) as engine:
        await until(has(file, 100))
        board.deleted.add("p")
        board.wanted.clear()
        await until(lambda: not engine.carried)
    assert (await (await open_bus(stream, "p", 1 << 20)).extent()).entries == 0
    assert await (await open_refusals(stream, "p", 1 << 20)).count() == 0
    assert await (await Positions.on(stream)).mark("p", "s", "judge").load() is None


async def test_a_bus_keeps_what_every_target_has_for_so_many_days_alone(stream, file):
    board = Board(an_assignment(a_subscription(file), records=2000))
    parts = await parts_of(stream, board, "w")
    async with carrying(stream, parts):
        await until(has(file, 2000))
    bus = await open_bus(stream, "p", parts.limits.bus_bytes)
    assert (await bus.extent()).entries > 1
    async with carrying(stream, replace(parts, limits=replace(parts.limits, days=0.0))):
        async with asyncio.timeout(40):
            while (await bus.extent()).entries > 1:
                await asyncio.sleep(0.02)
    assert (await bus.head()).cursor == {"n": 2000}


async def test_a_bus_that_was_set_back_is_told_and_skips_nothing(stream, file, tmp_path):
    board = Board(an_assignment(a_subscription(file), records=500))
    async with carrying(stream, await parts_of(stream, board, "w")):
        await until(has(file, 500))
    older = NatsChild(tmp_path / "older")
    await older.start()
    fresh = await open_jetstream(older.url, 1 << 28, 120)
    board = Board(an_assignment(a_subscription(file), records=500))
    async with carrying(fresh, await parts_of(fresh, board, "w")):
        await until(lambda: board.states.get("p", ("",))[0] == "error")
        assert "the bus was set back" in board.states["p"][1]
    await fresh.close()
    await older.stop()


async def test_another_worker_goes_on_where_the_first_ended(stream, file):
    for records in (500, 1200):
        board = Board(an_assignment(a_subscription(file), records=records))
        async with carrying(stream, await parts_of(stream, board, f"w{records}")):
            await until(has(file, records))
    assert_whole(file, 1200)


async def test_two_workers_share_pipelines_and_double_nothing(stream, tmp_path):
    files = {f"p{n}": tmp_path / f"{n}.sqlite" for n in range(8)}
    board = Board(
        *(an_assignment(a_subscription(f), name=p, records=400) for p, f in files.items())
    )
    one, two = [await parts_of(stream, board, holder) for holder in ("one", "two")]
    async with carrying(stream, one) as first, carrying(stream, two) as second:
        await until(lambda: all(has(f, 400)() for f in files.values()))
        await until(lambda: first.carried and second.carried)
        await until(lambda: first.carried | second.carried == set(files))
    for file in files.values():
        assert_whole(file, 400)


async def test_a_target_that_is_away_is_tried_again(stream, file):
    board = Board(an_assignment(a_subscription(file, away=2), records=100))
    async with carrying(stream, await parts_of(stream, board, "w")):
        await until(has(file, 100))
    assert_whole(file, 100)


async def test_an_api_that_failed_is_asked_for_the_rest_in_the_same_requests_as_before(stream):
    with serving(Api(scripted=[(503, {}, b"")] * 100, unique="n")) as api:
        settings = {"rows_per_request": 7, "retry_attempts": 0, "breaker_failures": 999}
        told = {"base_url": api.url, "endpoints": {"customers": "/users"}, "settings": settings}
        way = SubscriptionConfig("s", (), ConnectorConfig("HTTP_API_TARGET", told), backfill=True)
        board = Board(an_assignment(way, records=1501, at_once=1000, keys=1501))
        async with carrying(stream, await parts_of(stream, board, "w", allow_private=True)):
            await until(lambda: len(api.created) == 1501)
    assert len(api.asked) == 100 + 72 + 143 + 1, "what was settled was asked for again"


async def test_a_broken_pipeline_ends_with_its_reason_and_harms_no_other(stream, tmp_path):
    bad = a_subscription(tmp_path / "bad", broken=True, password="hunter22")
    good = a_subscription(tmp_path / "good")
    board = Board(an_assignment(bad, name="bad"), an_assignment(good, name="good"))
    async with carrying(stream, await parts_of(stream, board, "w")):
        await until(lambda: board.states.get("bad", ("",))[0] == "error")
        await until(has(tmp_path / "good", 100))
    assert board.states["bad"] == ("error", "wrong password ********")
    assert_whole(tmp_path / "good", 100)


async def test_a_target_that_is_away_for_too_long_ends_its_pipeline(stream, file):
    board = Board(an_assignment(a_subscription(file, away=1000)))
    async with carrying(stream, await parts_of(stream, board, "w", give_up=0.5)):
        await until(lambda: board.states.get("p", ("",))[0] == "error")
    assert "away for a moment" in board.states["p"][1]


async def test_a_target_that_hangs_harms_no_other_subscription(stream, tmp_path):
    ways = [a_subscription(tmp_path / "hangs", "h", hangs=True), a_subscription(tmp_path / "ok")]
    board = Board(an_assignment(*ways))
    parts = await parts_of(stream, board, "w")
    async with carrying(stream, parts) as engine:
        await until(has(tmp_path / "ok", 100))
        engine.drain_timeout = 0.1
    assert_whole(tmp_path / "ok", 100)


async def test_refused_records_are_kept_with_the_reason_and_the_others_go_on(stream, file):
    board = Board(an_assignment(a_subscription(file, refuses=42)))
    async with carrying(stream, await parts_of(stream, board, "w")):
        await until(has(file, 99))
        refusals = await open_refusals(stream, "p", 1 << 24)
        [kept] = await refusals.list(0, 10)
    assert kept.letter.message.value["n"] == 42
    assert (kept.letter.reason, kept.subscription_id) == ("it is not liked", "s")


async def test_a_dead_letter_that_was_fixed_is_replayed_to_its_subscription_alone(stream, tmp_path):
    ways = [a_subscription(tmp_path / "s", refuses=42), a_subscription(tmp_path / "t", "t")]
    board = Board(an_assignment(*ways))
    async with carrying(stream, await parts_of(stream, board, "w")):
        await until(lambda: has(tmp_path / "s", 99)() and has(tmp_path / "t", 100)())
        refusals = await open_refusals(stream, "p", 1 << 24)
        [kept] = await refusals.list(0, 10)
        fixed = msgspec.structs.replace(kept.letter.message, value={"n": 1042, "key": 0})
        await refusals.replay(kept.number, await open_bus(stream, "p", 1 << 26), fixed)
        await until(has(tmp_path / "s", 100))
    assert rows(tmp_path / "s")[-1][1] == 1042
    assert await refusals.list(0, 10) == []
    assert_whole(tmp_path / "t", 100)


async def test_a_new_version_is_taken_up_and_nothing_comes_twice(stream, file):
    board = Board(an_assignment(a_subscription(file), records=300))
    async with carrying(stream, await parts_of(stream, board, "w")):
        await until(has(file, 300))
        even = [{"type": "filter", "path": "$.n", "op": "ge", "value": 400}]
        changed = a_subscription(file, transforms=even)
        board.wanted["p"] = an_assignment(changed, version=2, records=500)
        await until(has(file, 400))
    assert [n for _, n, _ in rows(file)] == [*range(300), *range(400, 500)]


async def test_a_subscription_turned_back_gets_everything_again_and_no_more(stream, file):
    board = Board(an_assignment(a_subscription(file), records=200))
    parts = await parts_of(stream, board, "w")
    async with carrying(stream, parts):
        await until(has(file, 200))
        await parts.positions.turn("p", "s", 0)
        await until(has(file, 400))
        await asyncio.sleep(0.1)
    again = [(name, n) for name, n, _ in rows(file)]
    assert again == [("s.0", n) for n in range(200)] + [("s.1", n) for n in range(200)]


async def test_a_new_subscription_begins_at_new_records_unless_told_otherwise(stream, tmp_path):
    first = a_subscription(tmp_path / "s")
    board = Board(an_assignment(first, records=100))
    parts = await parts_of(stream, board, "w")
    async with carrying(stream, parts):
        await until(has(tmp_path / "s", 100))
        late = a_subscription(tmp_path / "late", "late", backfill=False)
        board.wanted["p"] = an_assignment(first, late, version=2, records=100)
        await until(lambda: (tmp_path / "late").exists())
        board.wanted["p"] = an_assignment(first, late, version=3, records=150)
        await until(has(tmp_path / "late", 50))
    assert [n for _, n, _ in rows(tmp_path / "late")] == [*range(100, 150)]


async def test_a_full_bus_stops_the_source_and_loses_nothing(stream, file):
    board = Board(an_assignment(a_subscription(file), records=4000))
    parts = await parts_of(stream, board, "w")
    parts = replace(parts, limits=replace(parts.limits, bus_bytes=6000))
    async with carrying(stream, parts):
        await until(has(file, 4000), 60)
    assert_whole(file, 4000)


def has_come(figures, part):
    return part in figures and figures[part].records >= 99 and not figures[part].lag


async def test_its_log_and_its_figures_are_told(stream, file):
    board = Board(an_assignment(a_subscription(file, refuses=1)))
    parts = await parts_of(stream, board, "w")
    async with carrying(stream, parts):
        await until(lambda: board.states.get("p") == ("live", ""))
        await until(has(file, 99))
        figures = {}
        while not all(has_come(figures, part) for part in ("source", "s")):
            figures = await parts.figures.read("p")
    lines = [line.text for _, line in await parts.logs.read("p")]
    assert "1 refused: it is not liked" in lines
    assert "version 1 is live" in lines
    assert figures["source"].records == 100
    assert figures["s"].refused == 1
