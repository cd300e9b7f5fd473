"""The schema of the accounts, on both databases: the migrations make what the code declares."""

import asyncio
from pathlib import Path
from typing import Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import Connection, inspect, text

from service.accounts import codes, key_rows, sessions
from service.database import Database, downgrade, is_current, open_database, upgrade
from service.errors import MigrationError
from service.settings import Settings

DECLARED = key_rows.api_keys.metadata
assert codes.codes.metadata is sessions.sessions.metadata is DECLARED


@pytest.fixture(params=["sqlite", "postgresql"])
async def settings(request: pytest.FixtureRequest, tmp_path: Path) -> Settings:
    if request.param == "sqlite":
        return Settings(data_dir=tmp_path / "100% new")
    return Settings(postgres_url=await request.getfixturevalue("postgres").new_database())


@pytest.fixture
async def database(settings: Settings):
    opened = open_database(settings)
    yield opened
    await opened.close()


async def tables(database: Database) -> set[str]:
    async with database.reading() as connection:
        return set(await connection.run_sync(lambda c: inspect(c).get_table_names()))


def differences(connection: Connection) -> list[Any]:
    return compare_metadata(MigrationContext.configure(connection), DECLARED)


async def test_upgrade_makes_exactly_the_declared_tables(database):
    await upgrade(database)
    async with database.reading() as connection:
        assert await connection.run_sync(differences) == []


async def test_downgrade_takes_everything_away_and_upgrade_brings_it_back(database):
    await upgrade(database)
    await downgrade(database, "base")
    assert await tables(database) == {"alembic_version"}
    await upgrade(database)
    assert set(DECLARED.tables) <= await tables(database)


async def test_every_single_step_down_can_be_taken_up_again(database):
    await upgrade(database)
    while not await is_empty(database):
        await downgrade(database, "-1")
        await upgrade(database, "+1")
        await downgrade(database, "-1")
    assert await tables(database) == {"alembic_version"}


async def is_empty(database: Database) -> bool:
    async with database.reading() as connection:
        return (await connection.execute(text("SELECT * FROM alembic_version"))).first() is None


async def test_a_schema_is_current_only_after_the_upgrade(database):
    assert not await is_current(database)
    await upgrade(database)
    assert await is_current(database)


async def test_processes_that_start_together_upgrade_once(settings):
    both = [open_database(settings) for _ in range(4)]
    await asyncio.gather(*(upgrade(database) for database in both))
    assert await is_current(both[0])
    for database in both:
        await database.close()


async def test_a_failed_step_leaves_the_schema_as_it_was(database):
    async with database.writing() as connection:
        await connection.execute(text("CREATE TABLE api_keys (in_the_way TEXT)"))
    with pytest.raises(MigrationError):
        await upgrade(database)
    assert "environments" not in await tables(database)


async def test_a_schema_of_a_later_version_is_refused(database):
    await upgrade(database)
    async with database.writing() as connection:
        await connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(MigrationError, match="9999"):
        await upgrade(database)


async def test_what_was_there_before_users_is_kept_and_has_the_largest_tier(database):
    await upgrade(database, "0001")
    old = "INSERT INTO environments VALUES ('env_default', 'default', false, 1)"
    async with database.writing() as connection:
        await connection.execute(text(old))
    await upgrade(database)
    assert await environment(database, "id, name, created_at, tier") == (*OLD, "enterprise")
    await downgrade(database, "0001")
    assert await environment(database, "id, name, created_at") == OLD


OLD = ("env_default", "default", 1)


async def environment(database: Database, columns: str) -> tuple[Any, ...]:
    """The one environment there is."""
    async with database.reading() as connection:
        found = await connection.execute(text(f"SELECT {columns} FROM environments"))
    return tuple(found.one())
