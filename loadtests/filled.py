"""A data directory that already holds a busy service's rows, rolled up as the service does it."""

import time
from pathlib import Path

from loadtests.dataset import EVENTS_PER_MESSAGE, Shape, rows
from service.migrate import migrate
from service.rollup import Rollup
from service.settings import Settings
from service.storage.duckdb import DuckDBStore
from service.storage.protocol import Group, Progress


async def fill(data_dir: Path, count: int) -> None:
    """Store `count` rows whose last event is now."""
    settings = Settings(data_dir=data_dir)
    store = DuckDBStore.open(data_dir / "events.duckdb", settings.duckdb_memory)
    try:
        await migrate(store)
        await _store_rows(store, count)
        await _roll_up(store)
    finally:
        await store.close()


async def _store_rows(store: DuckDBStore, count: int) -> None:
    before = await store.progress()
    done = 0
    for table in rows(Shape(count, time.time_ns() // 1_000_000)):
        done += table.num_rows
        after = Progress(sequence=-(-done // EVENTS_PER_MESSAGE))
        await store.append(Group(table, before, after))
        before = after


async def _roll_up(store: DuckDBStore) -> None:
    rollup = Rollup(store)
    while await rollup.roll():
        while await rollup.merge_if_due():
            pass
