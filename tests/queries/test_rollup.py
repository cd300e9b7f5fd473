"""Rolling up, which DuckDB needs: in steps, never half a position, checked against the rows."""

import asyncio

import pytest

from service.migrate import migrate
from service.rollup import PARTIALS_MOST, Finding, Rollup
from service.storage.mark import Mark
from service.storage.protocol import Statement
from tests.building import an_event
from tests.stores import open_duckdb
from tests.storing import put


@pytest.fixture
async def store(tmp_path):
    async with open_duckdb(tmp_path) as opened:
        await migrate(opened)
        yield opened


async def rolled_to(store) -> int:
    [state] = await store.fetch(Statement("rollup_state", {}))
    return state["position"][0].as_py()


async def test_too_few_new_rows_are_left_to_the_questions(store):
    await put(store, ["e1", "e2"])
    assert await Rollup(store, step_least=3).roll() == 0
    assert await Rollup(store, step_least=2).roll() == 2
    assert await rolled_to(store) == 1


async def test_a_step_takes_whole_positions_and_at_least_one(store):
    await put(store, ["e1", "e2"], ["e3", "e4"], ["e5"])
    rollup = Rollup(store)
    assert [await rollup.roll(least=1, most=1) for _ in range(4)] == [2, 2, 1, 0]
    assert await rolled_to(store) == 3


async def test_partials_are_merged_when_there_are_many(store):
    rollup = Rollup(store)
    for n in range(PARTIALS_MOST):
        assert not await rollup.merge_if_due()
        await put(store, [f"e{n}"])
        await rollup.roll(least=1)
    assert await rollup.merge_if_due()
    [due] = await store.fetch(Statement("rollup_due", {"enough": 1}))
    assert due["level"].to_pylist() == [1]
    assert all(finding.ok for finding in await rollup.verify())


async def test_it_keeps_up_with_the_mark_until_it_is_cancelled(store):
    mark = Mark()
    keeping = asyncio.create_task(Rollup(store, step_least=1).keep(mark))
    for n in range(3):
        mark.advance(await put(store, [f"e{n}"]))
    async with asyncio.timeout(20):
        while await rolled_to(store) < 3:
            await asyncio.sleep(0.01)
    keeping.cancel()
    assert isinstance((await asyncio.gather(keeping, return_exceptions=True))[0], BaseException)


async def test_verifying_agrees_on_what_is_rolled_up_and_leaves_the_rest_out(store):
    await put(store, [an_event("e1"), an_event("e2", after=3600)])
    await Rollup(store).roll(least=1)
    await put(store, ["e3"])
    findings = await Rollup(store).verify()
    assert all(finding.ok for finding in findings)
    assert Finding("events_by_minute", 2, 2) in findings
    assert Finding("ids", 3, 3) in findings


@pytest.mark.parametrize(
    ("spoil", "name"),
    [
        ("roll_events_by_minute", "events_by_minute"),
        ("roll_users_by_quarter", "users_by_quarter"),
        ("roll_users_by_day", "users_by_day"),
        ("roll_types_by_user", "types_by_user"),
        ("drop_merged_events_by_minute", "events_by_minute"),
    ],
)
async def test_verifying_finds_a_sum_that_is_too_high_or_too_low(store, spoil, name):
    await put(store, ["e1", "e2"])
    await Rollup(store).roll(least=1)
    await store.execute(Statement(spoil, {"rolled": 0, "upto": 1, "level": 0}))
    wrong = {finding.name for finding in await Rollup(store).verify() if not finding.ok}
    assert wrong == {name, f"{name}: differing"}
