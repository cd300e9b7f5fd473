"""A migration that dies in the middle is finished by the next one, and loses nothing."""

import random
import sqlite3
import subprocess
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import asyncpg
import clickhouse_connect
import duckdb
import pytest

from service.crash import EXIT_CODE
from tests.chdb_server import url_of
from tests.servers import a_clickhouse

RELEASED = Path(__file__).parents[1] / "released" / "0.1.0"
DIGEST = "5198fbafca3f26dacdf4d33f7b16f4c6b661cc6f929963da569cefdba2e2b9c1"
"""Of the key in it."""
POINTS = ["before_note", "after_step"]


def die_until_done(service, point: str, dice: random.Random, **urls: str) -> Iterator[None]:
    """Migrate again and again, each time dying a few steps further on."""
    while True:
        at = f"migrate.{point}:{dice.randint(2, 6)}"
        ended = migrate(service, HEADRACE_CRASH_AT=at, **urls)
        if ended.returncode == 0:
            return
        assert ended.returncode == EXIT_CODE, ended.stdout + ended.stderr
        yield


def migrate(service, **environment: str) -> subprocess.CompletedProcess[str]:
    return service.headrace("migrate", **environment)


def keep_released(folder: Path) -> None:
    """A data directory as a release left it: 37 events, a key, an older schema of both."""
    folder.mkdir()
    with duckdb.connect(folder / "events.duckdb") as events:
        events.execute((RELEASED / "events.duckdb.sql").read_text("utf-8"))
    with closing(sqlite3.connect(folder / "control.sqlite")) as accounts:
        accounts.executescript((RELEASED / "accounts.sqlite.sql").read_text("utf-8"))


def schema_of_duckdb(folder: Path) -> list[tuple[str, ...]]:
    tables = "SELECT sql FROM duckdb_tables() ORDER BY table_name"
    with duckdb.connect(folder / "events.duckdb", read_only=True) as events:
        return events.execute(tables).fetchall()


def events_in(folder: Path) -> list[tuple]:
    with duckdb.connect(folder / "events.duckdb", read_only=True) as events:
        return events.execute("SELECT * FROM events ORDER BY position, ordinal").fetchall()


@pytest.mark.parametrize("point", POINTS)
def test_a_migration_of_a_file_that_dies_on_its_way_ends_whole(point, new_service, dice):
    torn, whole = new_service(), new_service()
    for service in (torn, whole):
        keep_released(service.data_dir)
    before = events_in(torn.data_dir)
    assert len(list(die_until_done(torn, point, dice))) > 0
    assert migrate(whole).returncode == 0
    assert schema_of_duckdb(torn.data_dir) == schema_of_duckdb(whole.data_dir)
    assert events_in(torn.data_dir) == before
    assert "everything agrees" in torn.headrace("verify").stdout


def schema_of_clickhouse(url: str) -> list[tuple[str, ...]]:
    tables = "SELECT name, create_table_query FROM system.tables WHERE database = 'default'"
    with closing(clickhouse_connect.get_client(dsn=url)) as client:
        return sorted(client.query(tables).result_rows)


def forget_who_died(url: str) -> None:
    """As if the two minutes were over in which a migrator that says nothing is waited for."""
    with closing(clickhouse_connect.get_client(dsn=url)) as client:
        client.command("TRUNCATE TABLE migrators")


@pytest.mark.parametrize("point", POINTS)
def test_a_migration_of_clickhouse_that_dies_on_its_way_ends_whole(point, new_service, dice):
    service, deaths = new_service(), 0
    with a_clickhouse() as torn, a_clickhouse() as whole:
        url = url_of(torn.port)
        for _ in die_until_done(service, point, dice, CLICKHOUSE_URL=url):
            forget_who_died(url)
            deaths += 1
        assert migrate(service, CLICKHOUSE_URL=url_of(whole.port)).returncode == 0
        assert schema_of_clickhouse(url) == schema_of_clickhouse(url_of(whole.port))
        assert deaths > 0


def test_a_migration_of_accounts_that_dies_leaves_them_as_they_were(new_service):
    service = new_service()
    keep_released(service.data_dir)
    before = accounts_in(service.data_dir)
    died = migrate(service, HEADRACE_CRASH_AT="migrate.before_commit")
    assert (died.returncode, accounts_in(service.data_dir)) == (EXIT_CODE, before)
    assert migrate(service).returncode == 0
    after = accounts_in(service.data_dir)
    assert len(after) > len(before)
    assert DIGEST in "".join(after)


def accounts_in(folder: Path) -> list[str]:
    """All that is in the database, as SQL."""
    with closing(sqlite3.connect(folder / "control.sqlite")) as accounts:
        return list(accounts.iterdump())


async def test_accounts_on_postgresql_are_migrated_wholly_or_not_at_all(postgres, new_service):
    url, service = await postgres.new_database(), new_service()
    died = migrate(service, POSTGRES_URL=url, HEADRACE_CRASH_AT="migrate.before_commit")
    assert (died.returncode, await tables_in(url)) == (EXIT_CODE, set())
    assert migrate(service, POSTGRES_URL=url).returncode == 0
    assert await tables_in(url) > {"api_keys", "environments", "users"}


async def tables_in(url: str) -> set[str]:
    connection = await asyncpg.connect(url)
    found = await connection.fetch("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
    await connection.close()
    return {row["tablename"] for row in found}
