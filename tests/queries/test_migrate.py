"""Migrations: each statement once, in order, and nothing on a schema that does not fit."""

import pytest

from service.errors import MigrationError
from service.migrate import migrate, migrations, pending
from service.storage.duckdb import DuckDBStore
from service.storage.protocol import Statement


@pytest.fixture
async def bare(tmp_path):
    store = DuckDBStore.open(tmp_path / "events.duckdb", "256MB")
    yield store
    await store.close()


async def test_every_file_is_applied_once_in_the_order_of_its_name(bare):
    names = [migration.name for migration in migrations("duckdb")]
    assert await pending(bare) == names == sorted(names)
    assert await migrate(bare) == names
    assert await migrate(bare) == await pending(bare) == []


async def test_a_crash_between_two_steps_is_made_good_at_the_next_start(bare):
    first, *_ = migrations("duckdb")
    await pending(bare)
    note = {"name": first.name, "step": 0, "checksum": first.checksum}
    await bare.define(first.steps[0], Statement("migrations_note", note))
    assert first.name in await migrate(bare)
    assert await bare.progress()


async def test_a_step_that_fails_is_not_noted(bare):
    await pending(bare)
    with pytest.raises(Exception, match="no_such_table"):
        await bare.define(
            "INSERT INTO no_such_table VALUES (1)",
            Statement("migrations_note", {"name": "x", "step": 0, "checksum": ""}),
        )
    [done] = await bare.fetch(Statement("migrations_done", {}))
    assert done.num_rows == 0


async def test_a_file_changed_after_it_was_applied_is_refused(bare):
    await pending(bare)
    note = {"name": migrations("duckdb")[0].name, "step": 0, "checksum": "another"}
    await bare.execute(Statement("migrations_note", note))
    with pytest.raises(MigrationError, match="has changed since"):
        await migrate(bare)


async def test_the_schema_of_a_newer_version_is_refused(store):
    note = {"name": "9999_future", "step": 0, "checksum": ""}
    await store.execute(Statement("migrations_note", note))
    with pytest.raises(MigrationError, match="9999_future"):
        await pending(store)
