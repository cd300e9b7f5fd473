"""Real parts for the contracts: a broker, and the ways to open each event store."""

import os
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from pathlib import Path
from urllib.parse import urlsplit

import clickhouse_connect
import pytest

from service.migrate import Migratable, migrate
from service.storage.clickhouse import ClickHouseStore
from service.storage.clickhouse_chdb import InProcess
from service.storage.clickhouse_http import OverHttp
from service.storage.duckdb import DuckDBStore
from service.stream.jetstream import JetStream, open_jetstream
from service.stream.ledger import BUCKET, NatsLedger
from service.stream.nats_child import NatsChild
from tests.chdb_server import chdb_server

REAL_SERVER = os.environ.get("HEADRACE_TEST_CLICKHOUSE_URL", "")
CLICKHOUSES = ["chdb in process", "chdb over http", *(["a real server"] if REAL_SERVER else [])]
"""A real server is tested where HEADRACE_TEST_CLICKHOUSE_URL names one."""


@pytest.fixture
async def broker(tmp_path: Path) -> AsyncIterator[NatsChild]:
    child = NatsChild(tmp_path / "stream")
    await child.start()
    yield child
    await child.stop()


@pytest.fixture
async def stream(broker: NatsChild) -> AsyncIterator[JetStream]:
    opened = await open_jetstream(broker.url, 1 << 28, 120)
    yield opened
    await opened.close()


class Opener:
    """Opens one store, again if it is open; the ledger and the server stay."""

    def __init__(self, open_store: Callable[[], Awaitable[Migratable]]) -> None:
        self._open_store = open_store
        self._opened: list[Migratable] = []

    async def __call__(self) -> Migratable:
        await self.close()
        self._opened.append(await self._open_store())
        await migrate(self._opened[0])
        return self._opened[0]

    async def another(self) -> Migratable:
        """A second one on the same events; the test closes it."""
        return await self._open_store()

    async def close(self) -> None:
        if self._opened:
            await self._opened.pop().close()


async def an_opener(way: str, folder: Path, parts: AsyncExitStack) -> Opener:
    """How to open the store that `way` names, with a ledger on a broker of its own if it needs."""
    if way == "duckdb":

        async def open_duckdb() -> Migratable:
            return DuckDBStore.open(folder / "events.duckdb", "256MB")

        return Opener(open_duckdb)
    ledger = await _a_ledger(folder, parts)
    if way == "chdb in process":

        async def open_chdb() -> Migratable:
            engine = await InProcess.open(folder / "clickhouse")
            return ClickHouseStore(engine, ledger, shared=False)

        return Opener(open_chdb)
    if way == "chdb over http":
        url = await parts.enter_async_context(chdb_server(folder / "clickhouse"))
    else:
        url = await _a_database(parts)

    async def open_http() -> Migratable:
        return ClickHouseStore(await OverHttp.open(url), ledger, shared=True)

    return Opener(open_http)


async def _a_ledger(folder: Path, parts: AsyncExitStack) -> NatsLedger:
    child = NatsChild(folder / "stream")
    await child.start()
    parts.push_async_callback(child.stop)
    stream = await open_jetstream(child.url, 1 << 28, 120)
    parts.push_async_callback(stream.close)
    return NatsLedger(await stream.bucket(BUCKET))


async def _a_database(parts: AsyncExitStack) -> str:
    """A new database on the real server, dropped at the end."""
    name = f"headrace_test_{secrets.token_hex(4)}"
    client = await clickhouse_connect.get_async_client(dsn=REAL_SERVER)
    parts.push_async_callback(client.close)
    await client.command(f"CREATE DATABASE {name}")
    parts.push_async_callback(client.command, f"DROP DATABASE {name}")
    return urlsplit(REAL_SERVER)._replace(path=f"/{name}").geturl()
