"""The event stores that tests of questions open: each engine, each way to it."""

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path

from service.errors import StoreFenced
from service.migrate import Migratable
from service.storage.clickhouse import ClickHouseStore
from service.storage.clickhouse_chdb import InProcess
from service.storage.clickhouse_http import OverHttp
from service.storage.duckdb import DuckDBStore
from service.storage.ledger import Entry
from tests.chdb_server import chdb_server


class RememberedLedger:
    """A ledger of this process alone."""

    def __init__(self) -> None:
        self._entries: dict[str, tuple[Entry, int]] = {}

    async def read(self, store: str) -> tuple[Entry | None, int]:
        return self._entries.get(store, (None, 0))

    async def write(self, store: str, entry: Entry, revision: int) -> int:
        if (await self.read(store))[1] != revision:
            raise StoreFenced("another writer has written")
        self._entries[store] = entry, revision + 1
        return revision + 1

    async def follow(self, store: str) -> AsyncIterator[Entry]:
        entry, _ = await self.read(store)
        if entry:
            yield entry


@asynccontextmanager
async def open_duckdb(folder: Path) -> AsyncIterator[Migratable]:
    async with _closed_at_the_end(DuckDBStore.open(folder / "events.duckdb", "256MB")) as store:
        yield store


@asynccontextmanager
async def open_chdb(folder: Path) -> AsyncIterator[Migratable]:
    engine = await InProcess.open(folder / "clickhouse")
    made = ClickHouseStore(engine, RememberedLedger(), shared=False)
    async with _closed_at_the_end(made) as store:
        yield store


@asynccontextmanager
async def open_http(folder: Path) -> AsyncIterator[Migratable]:
    async with chdb_server(folder / "clickhouse") as url:
        made = ClickHouseStore(await OverHttp.open(url), RememberedLedger(), shared=True)
        async with _closed_at_the_end(made) as store:
            yield store


@asynccontextmanager
async def _closed_at_the_end(made: Migratable) -> AsyncIterator[Migratable]:
    try:
        yield made
    finally:
        await made.close()


STORES: dict[str, Callable[[Path], AbstractAsyncContextManager[Migratable]]] = {
    "duckdb": open_duckdb,
    "clickhouse": open_chdb,
    "clickhouse over http": open_http,
}
"""How to open an empty store in a folder. A process has one ClickHouse folder at a time."""
