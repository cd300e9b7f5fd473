"""Migrations: each statement once, in order, and nothing on a schema that does not fit."""

import asyncio

import pytest

from service.errors import MigrationError
from service.events import now_ms
from service.migrate import migrate, migrations, pending
from service.storage.clickhouse import ClickHouseStore
from service.storage.clickhouse_chdb import InProcess
from service.storage.protocol import Statement
from tests.stores import STORES, RememberedLedger


@pytest.fixture(params=STORES)
async def bare(request, tmp_path):
    async with STORES[request.param](tmp_path) as store:
        yield store


@pytest.fixture
async def two(tmp_path):
    """Two ways to one ClickHouse, as two processes have them."""
    ledger = RememberedLedger()
    engines = [await InProcess.open(tmp_path) for _ in range(2)]
    stores = [ClickHouseStore(engine, ledger, shared=True) for engine in engines]
    yield stores
    for store in stores:
        await store.close()


async def test_every_file_is_applied_once_in_the_order_of_its_name(bare):
    names = [migration.name for migration in migrations(bare.dialect)]
    assert await pending(bare) == names == sorted(names)
    assert await migrate(bare) == names
    assert await migrate(bare) == await pending(bare) == []


async def test_a_crash_between_two_steps_is_made_good_at_the_next_start(bare):
    first, *_ = migrations(bare.dialect)
    await pending(bare)
    note = {"name": first.name, "step": 0, "checksum": first.checksum}
    await bare.define(first.steps[0], Statement("migrations_note", note))
    await migrate(bare)
    assert await pending(bare) == []
    assert await bare.progress()


async def test_a_step_that_fails_is_not_noted(bare):
    await pending(bare)
    with pytest.raises(Exception, match=r"no_such_table|the event store failed"):
        await bare.define(
            "INSERT INTO no_such_table VALUES (1)",
            Statement("migrations_note", {"name": "x", "step": 0, "checksum": ""}),
        )
    [done] = await bare.fetch(Statement("migrations_done", {}))
    assert done.num_rows == 0


async def test_a_file_changed_after_it_was_applied_is_refused(bare):
    await pending(bare)
    note = {"name": migrations(bare.dialect)[0].name, "step": 0, "checksum": "another"}
    await bare.execute(Statement("migrations_note", note))
    with pytest.raises(MigrationError, match="has changed since"):
        await migrate(bare)


async def test_the_schema_of_a_newer_version_is_refused(store):
    note = {"name": "9999_future", "step": 0, "checksum": ""}
    await store.execute(Statement("migrations_note", note))
    with pytest.raises(MigrationError, match="9999_future"):
        await pending(store)


async def test_a_step_that_was_done_and_not_noted_may_be_done_again(two):
    store, _ = two
    for step in [step for m in migrations("clickhouse") for step in m.steps]:
        await store.define(step)
        await store.define(step)
    assert await migrate(store) == [m.name for m in migrations("clickhouse")]


async def test_of_two_migrators_at_once_one_waits_and_finds_nothing_to_do(two):
    applied = await asyncio.gather(*(migrate(store) for store in two))
    assert sorted(applied) == [[], [m.name for m in migrations("clickhouse")]]
    [notes] = await two[0].fetch(Statement("migrations_done", {}))
    assert notes["steps"].to_pylist() == [len(m.steps) for m in migrations("clickhouse")]


async def claimed(store, until: int) -> None:
    """Another process says that it migrates."""
    await migrate(store)
    await store.define("TRUNCATE TABLE migrations")
    await store.execute(
        Statement("migrators_say", {"holder": "elsewhere:1", "turn": 1, "until": until})
    )


async def test_a_migrator_that_is_not_done_in_time_is_named(two):
    store, _ = two
    await claimed(store, now_ms() + 60_000)
    with pytest.raises(MigrationError, match="elsewhere:1 is migrating"):
        await migrate(store, patience=0)


async def test_a_migrator_that_died_is_not_waited_for_when_its_time_is_over(two):
    store, _ = two
    await claimed(store, now_ms() - 1)
    assert await migrate(store, patience=0)
