"""The schema of the accounts, on both databases: the migrations make what the code declares."""

import asyncio
from pathlib import Path
from typing import Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import Connection, inspect, text

from service.accounts import codes, erasures, key_rows, registry, sessions, signing_tokens, tickets
from service.database import Database, downgrade, is_current, open_database, upgrade
from service.errors import MigrationError
from service.pipelines.control import tables as pipelines
from service.settings import Settings

DECLARED = key_rows.api_keys.metadata
assert codes.codes.metadata is sessions.sessions.metadata is DECLARED
assert pipelines.pipelines.metadata is DECLARED
assert erasures.erasures.metadata is tickets.tickets.metadata is DECLARED
assert {registry.Registry.__module__, signing_tokens.SigningTokens.__module__}


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


PEOPLE = [
    "INSERT INTO environments (id, name, public_metrics, created_at, tier, retention_days)"
    " VALUES ('env_default', 'same', false, 1, 'free', 30),"
    " ('env_b', 'same', false, 2, 'free', NULL)",
    "INSERT INTO users (id, email, name, is_superuser, environment_id, created_at)"
    " VALUES ('u1', 'ada@example.com', 'ada', true, 'env_default', 1)",
    "INSERT INTO members VALUES ('env_default', 'u1', 'owner')",
    "INSERT INTO sessions (id, user_id, created_at, expires_at, revision)"
    " VALUES ('s1', 'u1', 1, 2, 7)",
]


async def test_people_who_were_there_before_passwords_are_kept(database):
    await upgrade(database, "0005")
    async with database.writing() as connection:
        for statement in PEOPLE:
            await connection.execute(text(statement))
    await upgrade(database)
    assert await rows(database, "SELECT email, is_active, is_verified, password FROM users") == [
        ("ada@example.com", True, True, None)
    ]
    assert await rows(database, "SELECT user_id, kind, revision FROM sessions") == [
        ("u1", "user", 7)
    ]
    assert await rows(database, "SELECT name, use_retention FROM environments ORDER BY id") == [
        ("same env_b", False),
        ("same", True),
    ]


async def test_going_back_keeps_those_whom_the_former_schema_can_hold(database):
    await upgrade(database)
    homeless = (
        "INSERT INTO users (id, email, name, is_active, is_superuser, is_verified, created_at)"
        " VALUES ('u2', 'bob@example.com', 'bob', true, false, false, 2)"
    )
    async with database.writing() as connection:
        for statement in in_the_new_schema():
            await connection.execute(text(statement))
        await connection.execute(text(homeless))
    await downgrade(database, "0005")
    assert await rows(database, "SELECT id FROM users") == [("u1",)]
    assert await rows(database, "SELECT * FROM members") == [("env_default", "u1", "owner")]
    assert await rows(database, "SELECT id, user_id FROM sessions") == [("s1", "u1")]
    await upgrade(database)


def in_the_new_schema() -> list[str]:
    """Somebody, as the latest schema has him."""
    return [
        "INSERT INTO environments (id, name, description, public_metrics, use_retention,"
        " created_at, tier, revision) VALUES ('env_default', 'd', '', false, false, 1, 'free', 1)",
        "INSERT INTO users (id, email, name, is_active, is_superuser, is_verified,"
        " environment_id, created_at)"
        " VALUES ('u1', 'ada@example.com', 'ada', true, true, true, 'env_default', 1)",
        PEOPLE[2],
        "INSERT INTO sessions (id, user_id, kind, name, created_at, expires_at, revision)"
        " VALUES ('s1', 'u1', 'user', '', 1, 2, 7), ('s2', 'u1', 'service', 'x', 1, 2, 8)",
    ]


async def rows(database: Database, question: str) -> list[tuple[Any, ...]]:
    """What a question gives; SQLite's truth values as such."""
    async with database.reading() as connection:
        found = (await connection.execute(text(question))).all()
    flags = question.startswith(("SELECT email", "SELECT name"))
    return [tuple(bool(v) if flags and v in (0, 1) else v for v in row) for row in found]
