"""The concrete parts: each the embedded one, or the server that its URL names."""

import asyncio
from contextlib import AsyncExitStack
from hashlib import blake2b
from importlib.util import find_spec
from pathlib import Path
from urllib.parse import urlsplit

from service.database import Database, open_database
from service.errors import AccountsUnavailable, SettingsError
from service.limits import Limits, LocalLimits
from service.mail.outbox import NoMail, Outbox
from service.mail.protocol import Mail
from service.mail.smtp import SmtpMail
from service.settings import Settings
from service.shared.limits import SharedLimits
from service.shared.nonces import LocalNonces, Nonces, NoNonces
from service.shared.redis import SharedRedis
from service.shared.redis_nonces import SharedNonces
from service.storage.clickhouse import ClickHouseStore
from service.storage.clickhouse_chdb import InProcess
from service.storage.clickhouse_http import OverHttp
from service.storage.duckdb import DuckDBStore
from service.stream import ledger
from service.stream.jetstream import JetStream, open_jetstream
from service.stream.ledger import NatsLedger
from service.stream.nats_child import NatsChild
from service.telemetry import log

Store = DuckDBStore | ClickHouseStore

_LONGEST_PAUSE = 5.0


async def open_stream(settings: Settings, parts: AsyncExitStack) -> JetStream:
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


async def open_event_store(
    settings: Settings, parts: AsyncExitStack, stream: JetStream | None = None
) -> Store:
    """The event store; what is to be written needs the stream, beside which its ledger lives."""
    store = await _new_store(settings, stream)
    parts.push_async_callback(store.close)
    return store


async def _new_store(settings: Settings, stream: JetStream | None) -> Store:
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


async def open_control(settings: Settings, parts: AsyncExitStack) -> Database:
    database = open_database(settings)
    parts.push_async_callback(database.close)
    if settings.postgres_url:
        await _until_there(database)
    return database


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


def open_shared(settings: Settings, secret: bytes, parts: AsyncExitStack) -> SharedRedis | None:
    """What processes share; told apart from another service's by this one's secret and store."""
    if not settings.redis_url:
        return None
    shared = SharedRedis(settings.redis_url, _secret_there(settings, secret))
    parts.push_async_callback(shared.close)
    return shared


def open_limits(settings: Settings, secret: bytes, parts: AsyncExitStack) -> Limits:
    """Counted by all processes together where there is a Redis."""
    local = LocalLimits()
    if not settings.redis_url:
        return local
    shared = SharedLimits(settings.redis_url, _secret_there(settings, secret), local)
    parts.push_async_callback(shared.close)
    return shared


def _secret_there(settings: Settings, secret: bytes) -> bytes:
    store = settings.clickhouse_url or str(settings.data_dir.absolute())
    return blake2b(store.encode(), key=secret[:64]).digest()


async def open_nonces(settings: Settings, secret: bytes, parts: AsyncExitStack) -> Nonces:
    """Where signed requests are remembered, so that none is taken twice."""
    if not settings.redis_url:
        return NoNonces() if settings.is_shared else LocalNonces()
    shared = SharedNonces(settings.redis_url, _secret_there(settings, secret))
    parts.push_async_callback(shared.close)
    await shared.begin()
    return shared


def mail_of(settings: Settings) -> Mail:
    if settings.smtp_url:
        return SmtpMail(settings.smtp_url, settings.mail_from)
    if settings.environment == "production":
        log().warning("start.no_mail", advice="nobody signs in by e-mail: set HEADRACE_SMTP_URL")
        return NoMail()
    return Outbox(settings.data_dir / "outbox")
