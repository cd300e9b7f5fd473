"""Verifying: what was kept twice, or counted too often or too rarely, is found on every engine."""

import asyncio

import pytest

from service.migrate import migrate
from service.rollup import Finding, Rollup
from service.storage.mark import Mark
from tests.building import an_event
from tests.stores import open_chdb
from tests.storing import put


def wrong(findings) -> set[str]:
    return {finding.name for finding in findings if not finding.ok}


async def test_an_event_that_was_stored_twice_is_found(store):
    await put(store, ["e1", "e2"])
    await put(store, ["e1"])
    findings = await Rollup(store).verify()
    assert [f for f in findings if not f.ok] == [
        Finding("ids", 3, 2),
        Finding("ids: differing", 0, 1),
    ]


async def test_everything_agrees_on_rows_and_on_nothing(store):
    rollup = Rollup(store)
    assert wrong(await rollup.verify()) == set()
    await put(store, [an_event(f"e{n}", after=n * 1000, session_id=f"s{n % 3}") for n in range(90)])
    await rollup.roll(least=1)
    findings = await rollup.verify()
    assert wrong(findings) == set()
    assert {f.name: f.found for f in findings}["users_by_quarter"] == 90


@pytest.fixture
async def clickhouse(tmp_path):
    """The engine that keeps its rollups itself."""
    async with open_chdb(tmp_path) as opened:
        await migrate(opened)
        yield opened


async def test_there_is_nothing_to_roll_up_where_the_engine_does_it(clickhouse):
    await put(clickhouse, ["e1"])
    rollup = Rollup(clickhouse)
    assert await rollup.roll(least=1) == 0
    assert not await rollup.merge_if_due()
    await asyncio.wait_for(rollup.keep(Mark()), 5)


@pytest.mark.parametrize("table", ["events_by_minute", "users_by_quarter", "users_by_day"])
async def test_a_view_that_counts_too_much_or_too_little_is_found(clickhouse, table):
    await put(clickhouse, ["e1", "e2"])
    await clickhouse.define(f"INSERT INTO {table} SELECT * FROM {table}")
    assert wrong(await Rollup(clickhouse).verify()) == {table, f"{table}: differing"}
    await clickhouse.define(f"TRUNCATE TABLE {table}")
    assert wrong(await Rollup(clickhouse).verify()) == {table, f"{table}: differing"}


async def test_a_session_that_its_view_has_lost_is_found(clickhouse):
    await put(clickhouse, ["e1", an_event("e2", session_id="other")])
    await clickhouse.define("TRUNCATE TABLE sessions_by_quarter")
    assert wrong(await Rollup(clickhouse).verify()) == {"sessions", "sessions: differing"}
