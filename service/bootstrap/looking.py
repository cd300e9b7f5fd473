"""Single parts, opened to be looked at: what the settings name, and nothing is migrated."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from pathlib import Path

from service.bootstrap.engines import open_event_store, open_shared
from service.bootstrap.place import hold, secret_of
from service.database import Database, open_database
from service.migrate import Migratable, migrate
from service.plan import STORED
from service.settings import Settings
from service.shared.protocol import Shared
from service.storage.duckdb import DuckDBStore
from service.storage.protocol import Group
from service.stream.nats_child import NatsChild, syncs_always, url_in


@asynccontextmanager
async def looked_at_store(settings: Settings) -> AsyncIterator[Migratable]:
    """The event store, to be asked; waits for a server that is away.

    Raises DataDirectoryBusy when it is a file and a service works on it.
    """
    async with AsyncExitStack() as parts:
        if not settings.clickhouse_url.startswith("http"):
            parts.enter_context(hold(settings.data_dir))
        yield await open_event_store(settings, parts)


@asynccontextmanager
async def looked_at_accounts(settings: Settings) -> AsyncIterator[Database]:
    """The accounts' database, beside whoever else uses it."""
    database = open_database(settings)
    try:
        yield database
    finally:
        await database.close()


@asynccontextmanager
async def looked_at_shared(settings: Settings) -> AsyncIterator[Shared]:
    """What processes share; REDIS_URL has to be set."""
    async with AsyncExitStack() as parts:
        shared = open_shared(settings, secret_of(settings), parts)
        assert shared
        yield shared


@asynccontextmanager
async def embedded_broker(folder: Path) -> AsyncIterator[str]:
    """The broker of a folder, started for the block; where it is reached."""
    child = NatsChild(folder)
    await child.start()
    try:
        yield child.url
    finally:
        await child.stop()


async def adopt_stream(settings: Settings, created: str) -> None:
    """Have the embedded store take the stream made at `created` for the one that it has read.

    What is not the same all the same, the writer notices by the id of the last stored message.
    """
    store = DuckDBStore.open(settings.data_dir / "events.duckdb", settings.duckdb_memory)
    try:
        await migrate(store)
        stored = await store.progress()
        if stored.epoch:
            adopted = replace(stored, stream_created=created)
            await store.append(Group(STORED.empty_table(), stored, adopted))
    finally:
        await store.close()


def stream_url(settings: Settings) -> str:
    """Where the stream is reached; empty where the embedded one never ran."""
    return settings.nats_url or url_in(settings.data_dir / "stream")


def embedded_stream_syncs(settings: Settings) -> bool:
    """Whether the embedded stream has a message on the disk before it acknowledges."""
    return syncs_always(settings.data_dir / "stream")
