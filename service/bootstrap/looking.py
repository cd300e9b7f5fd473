"""Single parts, opened to be looked at: what the settings name, and nothing is migrated."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

from service.bootstrap.engines import open_event_store, open_shared
from service.bootstrap.place import hold, secret_of
from service.database import Database, open_database
from service.migrate import Migratable
from service.settings import Settings
from service.shared.protocol import Shared
from service.stream.nats_child import syncs_always, url_in


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


def stream_url(settings: Settings) -> str:
    """Where the stream is reached; empty where the embedded one never ran."""
    return settings.nats_url or url_in(settings.data_dir / "stream")


def embedded_stream_syncs(settings: Settings) -> bool:
    """Whether the embedded stream has a message on the disk before it acknowledges."""
    return syncs_always(settings.data_dir / "stream")
