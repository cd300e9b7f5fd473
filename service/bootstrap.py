"""The one place that names concrete parts: from settings to a service with everything open.

Each part is the embedded one, or the server that its URL names, in any mix. `open_service` is for
one process that does everything, `open_answering` and `open_writing` are its two halves.
"""

import asyncio
import fcntl
import os
import secrets
import socket
import time
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass
from hashlib import blake2b
from importlib.util import find_spec
from pathlib import Path
from urllib.parse import urlsplit

from service import crash
from service.accounts.addresses import account_of
from service.accounts.codes import Codes
from service.accounts.environments import Environments
from service.accounts.keys import Keys
from service.accounts.sessions import Sessions
from service.accounts.sign_in import Desk, SignIn
from service.accounts.tokens import Tokens
from service.accounts.users import Users
from service.database import Database, is_current, open_database, upgrade
from service.errors import AccountsUnavailable, DataDirectoryBusy, InvalidInput, SettingsError
from service.following import Following
from service.hints import Hints
from service.ingest import Ingest
from service.limits import Limits, LocalLimits
from service.mail.outbox import NoMail, Outbox
from service.mail.protocol import Mail
from service.mail.smtp import SmtpMail
from service.migrate import migrate, pending
from service.publisher import Publisher
from service.query.cache import AnswerCache
from service.query.run import Questions
from service.query.share import Share
from service.receipts import Receipts
from service.retention import Retention
from service.rollup import Rollup
from service.settings import Settings
from service.shared.protocol import Shared
from service.shared.redis import SharedRedis
from service.storage.clickhouse import ClickHouseStore
from service.storage.clickhouse_chdb import InProcess
from service.storage.clickhouse_http import OverHttp
from service.storage.duckdb import DuckDBStore
from service.storage.mark import Mark
from service.storage.protocol import EventStore
from service.stream import lease, ledger
from service.stream.jetstream import JetStream, open_jetstream
from service.stream.lease import Lease
from service.stream.ledger import NatsLedger
from service.stream.nats_child import NatsChild
from service.stream.protocol import Stream
from service.telemetry import log
from service.transfer.incoming import Way
from service.writer import Writer

_LONGEST_PAUSE = 5.0

_Store = DuckDBStore | ClickHouseStore


@dataclass(frozen=True)
class Answering:
    """Everything that takes events in and answers questions, opened."""

    settings: Settings
    database: Database
    environments: Environments
    keys: Keys
    sessions: Sessions
    sign_in: SignIn
    limits: Limits
    stream: Stream
    store: EventStore
    shared: Shared | None
    mark: Mark
    rollup: Rollup
    receipts: Receipts
    ingest: Ingest
    questions: Questions
    way: Way
    """For events of files on their way in."""
    operator_token: str
    started_at: float
    """Unix time in seconds."""
    follows: Callable[[], bool]
    """Whether this process hears what the store has."""

    def ready(self) -> bool:
        """Whether the schemas fit and events are being counted; the parts are asked apart."""
        return self.follows()


@dataclass(frozen=True)
class Writing:
    """Everything that carries events from the stream to the store, opened."""

    settings: Settings
    stream: Stream
    store: EventStore
    mark: Mark
    rollup: Rollup
    retention: Retention
    writer: Writer | None
    """The only one on the store; None where processes write by turns."""
    turns: "Turns | None"


@dataclass(frozen=True)
class Turns:
    """Processes that may all write: whose turn it is, and a writer for when it is ours."""

    lease: Lease
    retention: Retention
    """For whose turn it is."""
    new_writer: Callable[[], Writer]


@dataclass(frozen=True)
class Service(Answering, Writing):
    """Everything that answers and works, opened. Made by `open_service`."""

    def ready(self) -> bool:
        return self.writer.works if self.writer else self.follows()


@asynccontextmanager
async def open_service(settings: Settings) -> AsyncIterator[Service]:
    """Open everything in order, migrate, find the place in the stream; close all at the end.

    Waits for servers that are away. Raises DataDirectoryBusy when another process works on the
    data directory and a part lives there.
    """
    async with _begun(settings, alone=not settings.is_shared) as parts:
        accounts = await _open_accounts(settings, parts)
        backing = await _open_backing(settings, parts)
        writing = await _make_writing(settings, accounts.environments, backing)
        answering = await _make_answering(settings, parts, accounts, backing, writing.writer)
        yield Service(**vars(writing) | vars(answering))


@asynccontextmanager
async def open_answering(settings: Settings) -> AsyncIterator[Answering]:
    """Open what takes events in and answers questions, while other processes write."""
    async with _begun(settings) as parts:
        accounts = await _open_accounts(settings, parts)
        backing = await _open_backing(settings, parts)
        yield await _make_answering(settings, parts, accounts, backing, None)


@asynccontextmanager
async def open_writing(settings: Settings) -> AsyncIterator[Writing]:
    """Open what carries events to the store, while other processes answer."""
    async with _begun(settings) as parts:
        database = open_database(settings)
        parts.push_async_callback(database.close)
        backing = await _open_backing(settings, parts)
        yield await _make_writing(settings, Environments(database), backing)


@asynccontextmanager
async def open_store(
    settings: Settings, *, hold: bool = True, fill: bool = False
) -> AsyncIterator[EventStore]:
    """Open the event store alone: to read it, or to `fill` it in the writer's place.

    `hold` keeps others off the data directory. Raises DataDirectoryBusy when one is there, or when
    a worker writes to the same ClickHouse.
    """
    async with _begun(settings, alone=hold and not settings.is_shared) as parts:
        stream = await _open_stream(settings, parts) if settings.clickhouse_url else None
        if stream and settings.is_shared and fill:
            await parts.enter_async_context(_our_turn(stream))
        store = await _open_store(settings, parts, stream)
        await migrate(store)
        yield store


@asynccontextmanager
async def _our_turn(stream: JetStream) -> AsyncIterator[None]:
    """Be the one who may write, if nobody is."""
    turn = Lease(await stream.bucket(lease.BUCKET), "writer", _this_process())
    try:
        await asyncio.wait_for(turn.wait(), 3 * lease.SECONDS)
    except TimeoutError:
        raise DataDirectoryBusy("a worker writes to this ClickHouse; stop it first") from None
    keeping = asyncio.create_task(turn.keep())
    try:
        yield
    finally:
        keeping.cancel()
        await turn.release()


async def migrations_due(settings: Settings) -> Sequence[str]:
    """What `open_service` would migrate first; changes nothing that is there."""
    async with _schemas(settings) as (database, store):
        accounts = [] if await is_current(database) else ["accounts"]
        return [*accounts, *await pending(store)]


async def migrate_data(settings: Settings) -> None:
    """Bring the schemas of accounts and events up to date."""
    async with _schemas(settings) as (database, store):
        await upgrade(database)
        await migrate(store)


@asynccontextmanager
async def _begun(settings: Settings, alone: bool = False) -> AsyncIterator[AsyncExitStack]:
    """What comes before any part, and the stack that closes all of them."""
    crash.arm(settings.crash_at)
    _warn_of_unused(settings)
    async with AsyncExitStack() as parts:
        if alone:
            parts.enter_context(_hold(settings.data_dir))
        yield parts


@asynccontextmanager
async def _schemas(settings: Settings) -> AsyncIterator[tuple[Database, _Store]]:
    async with AsyncExitStack() as parts:
        if not settings.clickhouse_url.startswith("http"):
            parts.enter_context(_hold(settings.data_dir))
        database = await _open_database(settings, parts)
        yield database, await _open_store(settings, parts)


@dataclass(frozen=True)
class _Accounts:
    database: Database
    environments: Environments
    keys: Keys
    users: Users


async def _open_accounts(settings: Settings, parts: AsyncExitStack) -> _Accounts:
    database = await _open_database(settings, parts)
    await upgrade(database)
    environments, keys = Environments(database), Keys(database)
    parts.push_async_callback(keys.close)
    chosen = {"yes": True, "no": False, "auto": settings.on_loopback}
    await environments.ensure_default(chosen[settings.public_metrics])
    await keys.ensure_bootstrap(settings.bootstrap_api_key)
    return _Accounts(database, environments, keys, Users(database, _owner(settings)))


def _owner(settings: Settings) -> str:
    try:
        return account_of(settings.owner_email) if settings.owner_email else ""
    except InvalidInput as error:
        raise SettingsError(f"HEADRACE_OWNER_EMAIL: {error}") from None


async def _open_database(settings: Settings, parts: AsyncExitStack) -> Database:
    database = open_database(settings)
    parts.push_async_callback(database.close)
    if settings.postgres_url:
        await _until_there(database)
    return database


@dataclass(frozen=True)
class _Backing:
    """What both roads rest on."""

    stream: JetStream
    store: _Store
    mark: Mark
    rollup: Rollup


async def _open_backing(settings: Settings, parts: AsyncExitStack) -> _Backing:
    stream = await _open_stream(settings, parts)
    store = await _open_store(settings, parts, stream)
    await migrate(store)
    return _Backing(stream, store, Mark(), Rollup(store, settings.rollup_events))


async def _make_writing(
    settings: Settings, environments: Environments, backing: _Backing
) -> Writing:
    stream, store, mark, rollup = backing.stream, backing.store, backing.mark, backing.rollup
    retention = Retention(store, rollup, environments.days_kept)
    if settings.is_shared:
        # The mark of all is moved by what the ledger says; this writer has one for itself.
        turn = Lease(await stream.bucket(lease.BUCKET), "writer", _this_process())
        turns = Turns(turn, retention, lambda: Writer(stream, store, Mark(), settings))
        return Writing(settings, stream, store, mark, rollup, retention, None, turns)
    writer = Writer(stream, store, mark, settings)
    await writer.begin()
    return Writing(settings, stream, store, mark, rollup, retention, writer, None)


async def _make_answering(
    settings: Settings,
    parts: AsyncExitStack,
    accounts: _Accounts,
    backing: _Backing,
    writer: Writer | None,
) -> Answering:
    """`writer` is the one in this process, if it alone moves the mark."""
    stream, store, mark = backing.stream, backing.store, backing.mark
    secret = _secret(settings)
    shared = _open_shared(settings, secret, parts)
    cache = AnswerCache(settings.cache_seconds, share=Share(shared, settings.cache_seconds))
    parts.push_async_callback(cache.close)
    receipts = Receipts(secret)
    desk = _open_desk(settings, parts, accounts, secret)
    hints = Hints(writer.near_net if writer else None, shared=shared)
    publisher = Publisher(stream, mark, hints, settings)
    return Answering(
        settings=settings,
        database=accounts.database,
        environments=accounts.environments,
        keys=accounts.keys,
        sessions=desk.sessions,
        sign_in=SignIn(accounts.database, desk),
        limits=desk.limits,
        stream=stream,
        store=store,
        shared=shared,
        mark=mark,
        rollup=backing.rollup,
        receipts=receipts,
        ingest=Ingest(publisher, receipts, settings),
        questions=Questions(store, stream, cache, settings, mark),
        way=_way(settings, accounts, backing),
        operator_token=_operator_token(settings, secret),
        started_at=time.time(),
        follows=await _follow(parts, backing, writer),
    )


def _open_desk(
    settings: Settings, parts: AsyncExitStack, accounts: _Accounts, secret: bytes
) -> Desk:
    former = [text.encode() for text in settings.former_secrets]
    sessions = Sessions(accounts.database, Tokens(secret, former))
    parts.push_async_callback(sessions.close)
    return Desk(Codes(secret), accounts.users, sessions, _mail(settings), LocalLimits())


def _mail(settings: Settings) -> Mail:
    if settings.smtp_url:
        return SmtpMail(settings.smtp_url, settings.mail_from)
    if settings.environment == "production":
        log().warning("start.no_mail", advice="nobody signs in by e-mail: set HEADRACE_SMTP_URL")
        return NoMail()
    return Outbox(settings.data_dir / "outbox")


async def _follow(
    parts: AsyncExitStack, backing: _Backing, writer: Writer | None
) -> Callable[[], bool]:
    """Have the mark move as the store does, after the ledger, where no writer here moves it."""
    if writer:
        return lambda: True
    assert isinstance(backing.store, ClickHouseStore)
    following = Following(backing.store, backing.mark)
    parts.push_async_callback(following.close)
    return lambda: following.works and backing.mark.progress.epoch > 0


async def _open_store(
    settings: Settings, parts: AsyncExitStack, stream: JetStream | None = None
) -> _Store:
    """The event store; what is to be written needs the stream, beside which its ledger lives."""
    store = await _new_store(settings, stream)
    parts.push_async_callback(store.close)
    return store


async def _new_store(settings: Settings, stream: JetStream | None) -> _Store:
    url = settings.clickhouse_url
    if not url:
        return DuckDBStore.open(settings.data_dir / "events.duckdb", settings.duckdb_memory)
    kept = NatsLedger(await stream.bucket(ledger.BUCKET)) if stream else None
    if url.startswith("chdb"):
        if not find_spec("chdb"):
            raise SettingsError(
                "CLICKHOUSE_URL=chdb:… needs the engine: pip install 'headrace[chdb]', "
                "or set it to http://…"
            )
        engine = await InProcess.open(Path(urlsplit(url).path))
        return ClickHouseStore(engine, kept, shared=False)
    server = await OverHttp.open(url)
    return ClickHouseStore(server, kept, shared=True, cluster=settings.clickhouse_cluster)


async def _open_stream(settings: Settings, parts: AsyncExitStack) -> JetStream:
    url, revive = settings.nats_url, None
    if not url:
        child = NatsChild(settings.data_dir / "stream")
        await child.start()
        parts.push_async_callback(child.stop)
        url, revive = child.url, child.restart
    stream = await open_jetstream(
        url, settings.stream_max_bytes, settings.duplicate_window, revive, settings.replicas
    )
    parts.push_async_callback(stream.close)
    return stream


def _open_shared(settings: Settings, secret: bytes, parts: AsyncExitStack) -> SharedRedis | None:
    """What processes share; told apart from another service's by this one's secret and store."""
    if not settings.redis_url:
        return None
    store = settings.clickhouse_url or str(settings.data_dir.absolute())
    shared = SharedRedis(settings.redis_url, blake2b(store.encode(), key=secret[:64]).digest())
    parts.push_async_callback(shared.close)
    return shared


def _way(settings: Settings, accounts: _Accounts, backing: _Backing) -> Way:
    return Way(
        accounts.environments,
        backing.stream,
        backing.store,
        backing.mark,
        settings.stream_max_bytes,
        settings.max_field_bytes,
    )


async def _until_there(database: Database) -> None:
    """Return when the database answers; until then say what is waited for, with growing pauses."""
    pause = 0.1
    while True:
        try:
            return await database.ping()
        except AccountsUnavailable as error:
            log().warning("start.waiting", part="accounts", reason=str(error))
        await asyncio.sleep(pause)
        pause = min(pause * 2, _LONGEST_PAUSE)


def _warn_of_unused(settings: Settings) -> None:
    if settings.questdb_url:
        instead = "ClickHouse" if settings.clickhouse_url else "DuckDB"
        log().warning("settings.questdb_unused", instead=f"events are kept in {instead}")
    if settings.nats_url:
        log().warning(
            "settings.stream_sync_unknown",
            advice="set jetstream { sync_interval: always } on that server",
        )


def _operator_token(settings: Settings, secret: bytes) -> str:
    """What opens the routes for operators: made anew where one process is all there is."""
    if not settings.is_shared:
        return secrets.token_urlsafe(32)
    return operator_token(secret)


def operator_token(secret: bytes) -> str:
    """The same for all processes that have the same secret."""
    return blake2b(secret, person=b"operator token").hexdigest()


def _this_process() -> str:
    return f"{socket.gethostname()}-{os.getpid()}-{secrets.token_hex(4)}"


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
