"""The one place that names concrete parts: from settings to a service with everything open."""

import fcntl
import secrets
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path

from service import crash
from service.accounts.environments import Environments
from service.accounts.keys import Keys
from service.database import Database, is_current, open_database, upgrade
from service.errors import DataDirectoryBusy
from service.hints import Hints
from service.ingest import Ingest
from service.migrate import migrate, pending
from service.publisher import Publisher
from service.query.cache import AnswerCache
from service.query.run import Questions
from service.receipts import Receipts
from service.rollup import Rollup
from service.settings import Settings
from service.storage.duckdb import DuckDBStore
from service.storage.mark import Mark
from service.storage.protocol import EventStore
from service.stream.jetstream import open_jetstream
from service.stream.nats_child import NatsChild
from service.stream.protocol import Stream
from service.telemetry import log
from service.writer import Writer


@dataclass(frozen=True, slots=True)
class Service:
    """Everything that answers and works, opened and ready. Made by `open_service`."""

    settings: Settings
    database: Database
    environments: Environments
    keys: Keys
    stream: Stream
    store: EventStore
    mark: Mark
    writer: Writer
    rollup: Rollup
    receipts: Receipts
    ingest: Ingest
    questions: Questions
    operator_token: str
    started_at: float
    """Unix time in seconds."""

    def ready(self) -> bool:
        """Whether the schemas fit and the writer is at work; the parts are asked apart."""
        return self.writer.works


@asynccontextmanager
async def open_service(settings: Settings) -> AsyncIterator[Service]:
    """Open every part in order, migrate, find the place in the stream; close all at the end.

    Raises DataDirectoryBusy when another process works on the data directory.
    """
    crash.arm(settings.crash_at)
    _warn_of_unused(settings)
    async with AsyncExitStack() as open_parts:
        open_parts.enter_context(_hold(settings.data_dir))
        database = await open_parts.enter_async_context(_accounts(settings))
        await upgrade(database)
        environments, keys = Environments(database), Keys(database)
        open_parts.push_async_callback(keys.close)
        await _prepare_accounts(settings, environments, keys)

        store = await open_parts.enter_async_context(_events(settings))
        await migrate(store)
        stream = await _open_stream(settings, open_parts)

        mark = Mark()
        writer = Writer(stream, store, mark, settings)
        await writer.begin()
        cache = AnswerCache(settings.cache_seconds)
        open_parts.push_async_callback(cache.close)
        receipts = Receipts(_secret(settings))
        publisher = Publisher(stream, mark, Hints(writer.near_net), settings)
        yield Service(
            settings=settings,
            database=database,
            environments=environments,
            keys=keys,
            stream=stream,
            store=store,
            mark=mark,
            writer=writer,
            rollup=Rollup(store, settings.rollup_events),
            receipts=receipts,
            ingest=Ingest(publisher, receipts, settings),
            questions=Questions(store, stream, cache, settings),
            operator_token=secrets.token_urlsafe(32),
            started_at=time.time(),
        )


async def migrations_due(settings: Settings) -> Sequence[str]:
    """What `open_service` would migrate first; changes nothing that is there."""
    with _hold(settings.data_dir):
        async with _accounts(settings) as database, _events(settings) as store:
            accounts = [] if await is_current(database) else ["accounts"]
            return [*accounts, *await pending(store)]


async def migrate_data(settings: Settings) -> None:
    """Bring the schemas of accounts and events up to date."""
    with _hold(settings.data_dir):
        async with _accounts(settings) as database, _events(settings) as store:
            await upgrade(database)
            await migrate(store)


@asynccontextmanager
async def _accounts(settings: Settings) -> AsyncIterator[Database]:
    database = open_database(settings)
    try:
        yield database
    finally:
        await database.close()


@asynccontextmanager
async def _events(settings: Settings) -> AsyncIterator[DuckDBStore]:
    store = DuckDBStore.open(settings.data_dir / "events.duckdb", settings.duckdb_memory)
    try:
        yield store
    finally:
        await store.close()


async def _open_stream(settings: Settings, open_parts: AsyncExitStack) -> Stream:
    url, revive = settings.nats_url, None
    if not url:
        child = NatsChild(settings.data_dir / "stream")
        await child.start()
        open_parts.push_async_callback(child.stop)
        url, revive = child.url, child.restart
    stream = await open_jetstream(url, settings.stream_max_bytes, settings.duplicate_window, revive)
    open_parts.push_async_callback(stream.close)
    return stream


async def _prepare_accounts(settings: Settings, environments: Environments, keys: Keys) -> None:
    chosen = {"yes": True, "no": False, "auto": settings.on_loopback}
    await environments.ensure_default(chosen[settings.public_metrics])
    await keys.ensure_bootstrap(settings.bootstrap_api_key)


def _warn_of_unused(settings: Settings) -> None:
    if settings.questdb_url:
        log().warning("settings.questdb_unused", instead="events are kept in DuckDB")
    if settings.nats_url:
        log().warning(
            "settings.stream_sync_unknown",
            advice="set jetstream { sync_interval: always } on that server",
        )


def _secret(settings: Settings) -> bytes:
    """The secret of the settings, or one made at the first start and kept."""
    if settings.secret_key:
        return settings.secret_key.encode()
    path = settings.data_dir / "secret_key"
    if not path.exists():
        path.touch(mode=0o600)
    if not path.read_text():
        path.write_text(secrets.token_urlsafe(32))
    return path.read_text().encode()


@contextmanager
def _hold(data_dir: Path) -> Iterator[None]:
    """Keep other processes off the data directory; the lock dies with this one."""
    data_dir.mkdir(parents=True, exist_ok=True)
    with (data_dir / "lock").open("a") as held:
        try:
            fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise DataDirectoryBusy(
                f"{data_dir} is in use by another headrace; stop it, "
                "or give this one its own HEADRACE_DATA_DIR"
            ) from None
        yield
