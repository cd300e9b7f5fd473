"""The event stores that tests of questions open, one for each engine."""

from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

from service.errors import StoreFenced
from service.migrate import Migratable
from service.storage.clickhouse import ClickHouseStore
from service.storage.clickhouse_chdb import InProcess
from service.storage.duckdb import DuckDBStore
from service.storage.ledger import Entry


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


async def open_duckdb(folder: Path) -> Migratable:
    return DuckDBStore.open(folder / "events.duckdb", "256MB")


async def open_chdb(folder: Path) -> Migratable:
    engine = await InProcess.open(folder / "clickhouse")
    return ClickHouseStore(engine, RememberedLedger(), shared=False)


STORES: dict[str, Callable[[Path], Awaitable[Migratable]]] = {
    "duckdb": open_duckdb,
    "clickhouse": open_chdb,
}
"""How to open an empty store in a folder."""
