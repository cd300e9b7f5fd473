"""POSTGRES_TARGET on a real PostgreSQL: what is its alone."""

from collections.abc import AsyncIterator
from datetime import UTC, date, datetime
from typing import NamedTuple
from urllib.parse import urlsplit

import asyncpg
import pytest

from service.errors import ConnectorBroken, InvalidInput, TargetUnavailable
from service.pipelines.connectors.protocol import Surroundings
from service.pipelines.connectors.registry import config_of, kind_of
from service.pipelines.model import Outgoing, Place
from tests.servers import PASSWORD, Postgres

KIND = kind_of("POSTGRES_TARGET")


class Database(NamedTuple):
    connection: asyncpg.Connection
    settings: dict

    async def open(self, table="people", subscription="s", **settings):
        return await KIND.open_target(self.config(**settings), around(table, subscription))

    def config(self, **settings):
        return config_of(KIND, {**self.settings, **settings})

    async def rows(self, table="people"):
        return [tuple(row) for row in await self.connection.fetch(f"SELECT * FROM {table}")]


def around(table="", subscription="s", **given):
    there = {"allow_private": True, "patience": 5.0, **given}
    return Surroundings("t", "p", subscription, table=table, **there)


def going(sequence=1, primary_key=(), **record):
    return Outgoing(Place(sequence, 0), record, primary_key)


@pytest.fixture
async def database(postgres: Postgres) -> AsyncIterator[Database]:
    url = await postgres.new_database()
    connection = await asyncpg.connect(url)
    await connection.execute("CREATE TABLE people (id int PRIMARY KEY, name text NOT NULL)")
    settings = {"host": "127.0.0.1", "port": str(postgres.port), "user": "headrace"}
    settings |= {"database": urlsplit(url).path[1:], "password": PASSWORD}
    yield Database(connection, settings)
    await connection.close()


async def test_a_record_replaces_the_row_of_its_primary_key(database) -> None:
    target = await database.open()
    await target.write([going(1, ["id"], id=1, name="ada"), going(2, ["id"], id=1, name="eve")])
    await target.write([going(3, ["id"], id=1, name="kim"), going(3, ["id"], id=2, name="bob")])
    await target.close()
    assert await database.rows() == [(1, "kim"), (2, "bob")]


async def test_values_become_what_their_columns_are(database) -> None:
    await database.connection.execute(
        "CREATE TABLE wide (n numeric, at timestamptz, day date, doc jsonb, list int[], ok bool)"
    )
    target = await database.open("wide")
    at = datetime(2026, 1, 2, 3, tzinfo=UTC)
    record = {"n": "1.50", "at": at, "day": "2026-01-02", "doc": {"a": 1}, "list": [1], "ok": True}
    assert await target.write([going(**record)]) == []
    await target.close()
    [row] = await database.rows("wide")
    assert (str(row[0]), *row[1:]) == ("1.50", at, date(2026, 1, 2), '{"a": 1}', [1], True)


@pytest.mark.parametrize("bad", [{"id": "x"}, {"name": None}, {"name": "\0"}])
async def test_a_row_that_is_refused_keeps_no_other_one_out(database, bad) -> None:
    target = await database.open(place_table="places", create_place_table=True)
    batch = [
        Outgoing(Place(1, n), {"id": n, "name": "x", **(bad if n == 5 else {})}, ["id"])
        for n in range(11)
    ]
    [refused] = await target.write(batch)
    await target.close()
    assert refused.place == Place(1, 5)
    assert refused.reason
    assert sorted(row[0] for row in await database.rows()) == [n for n in range(11) if n != 5]


async def test_a_batch_of_a_worker_thought_dead_writes_over_nothing(database) -> None:
    options = {"place_table": "places", "create_place_table": True}
    frozen, other = await database.open(**options), await database.open(**options)
    await other.write([going(1, ["id"], id=1, name="old")])
    await other.write([going(2, ["id"], id=1, name="new")])
    await frozen.write([going(1, ["id"], id=1, name="old")])
    assert await frozen.written() == Place(2, 0)
    await frozen.close()
    await other.close()
    assert await database.rows() == [(1, "new")]


async def test_nothing_is_created_that_was_not_asked_for(database) -> None:
    for settings in ({"place_table": "places"}, {"table": "nope"}):
        with pytest.raises(ConnectorBroken, match=r"does not exist|there is no table"):
            await database.open(**settings)
    assert await KIND.topics(database.config(), around()) == ["people"]


@pytest.mark.parametrize(
    ("key", "record", "told"),
    [("id", {"id": 1, "nam": "x"}, 'column "nam"'),
     ("name", {"id": 1, "name": "x"}, "ON CONFLICT")],
)  # fmt: skip
async def test_a_table_that_does_not_fit_is_told(database, key, record, told) -> None:
    target = await database.open()
    with pytest.raises(ConnectorBroken, match=told):
        await target.write([going(1, [key], **record)])
    await target.close()


@pytest.mark.parametrize(
    ("settings", "error", "told"),
    [({"password": "not-the-password"}, ConnectorBroken, "password authentication failed"),
     ({"database": "nope"}, ConnectorBroken, 'database "nope" does not exist'),
     ({"host": "nobody.invalid"}, TargetUnavailable, "not known"),
     ({"port": 1}, TargetUnavailable, "refused|Connect call failed")],
)  # fmt: skip
async def test_a_check_says_what_the_server_said_and_no_secret(
    database, settings, error, told
) -> None:
    with pytest.raises(error, match=told) as raised:
        await KIND.check(database.config(**settings), around())
    assert "not-the-password" not in str(raised.value)
    await KIND.check(database.config(), around("people"))


async def test_a_private_host_is_refused_naming_the_field(database) -> None:
    with pytest.raises(InvalidInput, match="private network") as raised:
        await KIND.check(database.config(), around(allow_private=False))
    assert raised.value.field == "host"


@pytest.mark.parametrize("port", ["x", "0", 70000, -1])
def test_a_wrong_port_is_named(port) -> None:
    given = {"host": "h", "database": "d", "user": "u", "port": port}
    with pytest.raises(InvalidInput) as raised:
        config_of(KIND, given)
    assert raised.value.field == "configuration.port"


async def test_names_are_identifiers_and_nothing_else(database) -> None:
    name = 'odd "name"; drop table people'
    quoted = name.replace('"', '""')
    await database.connection.execute(f'CREATE TABLE "{quoted}" ("{quoted}" text)')
    target = await database.open(name)
    assert await target.write([going(**{name: "x"})]) == []
    await target.close()
    assert await database.rows() == []
    assert await database.rows(f'"{quoted}"') == [("x",)]
