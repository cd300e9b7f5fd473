"""Opens the parts in order, puts them together, and closes all of them at the end."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass

from service import crash
from service.accounts.audit_log import AuditLog
from service.accounts.environments import Environments
from service.accounts.erasures import Erasures
from service.accounts.partners import Partners
from service.accounts.passwords import Passwords
from service.accounts.registry import Registry
from service.accounts.sign_in import SignIn
from service.accounts.tickets import Tickets
from service.bootstrap.accounts import (
    Accounts,
    open_accounts,
    open_desk,
    open_pipelines,
    open_signatures,
)
from service.bootstrap.carrying import open_engine
from service.bootstrap.engines import (
    Store,
    open_control,
    open_event_store,
    open_nonces,
    open_shared,
    open_stream,
)
from service.bootstrap.opened import Answering, Service, Turns, Writing
from service.bootstrap.place import hold, operator_token_of, secret_of, this_process
from service.canary import DAYS_KEPT, Canary
from service.database import Database, is_current, upgrade
from service.delivery.uploads.carrying_out import Kept, Uploads
from service.delivery.uploads.intake import Allowed
from service.delivery.uploads.shelf import Shelf as Files
from service.erasure.asking import Forgetting
from service.erasure.carrying_out import Eraser
from service.errors import DataDirectoryBusy
from service.events import CANARY
from service.following import Following
from service.hints import Hints
from service.ingest import Ingest
from service.migrate import migrate, pending
from service.pipelines.control.census import Census
from service.pipelines.insight import Insight, Room
from service.pipelines.pushing import Pushing
from service.publisher import Publisher
from service.query.cache import AnswerCache
from service.query.customers import Customers
from service.query.exports import Exports
from service.query.live import Live
from service.query.run import Questions
from service.query.saved.definition import KEPT
from service.query.saved.shelf import Shelf
from service.query.share import Share
from service.receipts import Receipts
from service.retention import ReadDays, Retention
from service.rollup import Rollup
from service.settings import Settings
from service.storage.clickhouse import ClickHouseStore
from service.storage.mark import Mark
from service.storage.protocol import EventStore
from service.stream import lease
from service.stream.jetstream import JetStream
from service.stream.lease import Lease
from service.telemetry import log
from service.transfer.incoming import Way
from service.writer import Writer


@asynccontextmanager
async def open_service(settings: Settings) -> AsyncIterator[Service]:
    """Open everything in order, migrate, find the place in the stream; close all at the end.

    Waits for servers that are away. Raises DataDirectoryBusy when another process works on the
    data directory and a part lives there.
    """
    async with _begun(settings, alone=not settings.is_shared) as parts:
        accounts = await open_accounts(settings, parts)
        backing = await _open_backing(settings, parts)
        writing = await _make_writing(settings, accounts.database, backing)
        answering = await _make_answering(settings, parts, accounts, backing, writing.writer)
        yield Service(**vars(writing) | vars(answering))


@asynccontextmanager
async def open_answering(settings: Settings) -> AsyncIterator[Answering]:
    """Open what takes events in and answers questions, while other processes write."""
    async with _begun(settings) as parts:
        accounts = await open_accounts(settings, parts)
        backing = await _open_backing(settings, parts)
        yield await _make_answering(settings, parts, accounts, backing, None)


@asynccontextmanager
async def open_writing(settings: Settings) -> AsyncIterator[Writing]:
    """Open what carries events to the store, while other processes answer."""
    async with _begun(settings) as parts:
        database = await open_control(settings, parts)
        await upgrade(database)  # nothing is stored before it is known who was erased
        backing = await _open_backing(settings, parts)
        writing = await _make_writing(settings, database, backing)
        await _follow(parts, backing, writing.writer)  # for what pipelines send into the store
        yield writing


@asynccontextmanager
async def open_store(
    settings: Settings, *, hold: bool = True, fill: bool = False
) -> AsyncIterator[EventStore]:
    """Open the event store alone: to read it, or to `fill` it in the writer's place.

    `hold` keeps others off the data directory. Raises DataDirectoryBusy when one is there, or when
    a worker writes to the same ClickHouse.
    """
    async with _begun(settings, alone=hold and not settings.is_shared) as parts:
        stream = await open_stream(settings, parts) if settings.clickhouse_url else None
        if stream and settings.is_shared and fill:
            await parts.enter_async_context(_our_turn(stream))
        store = await open_event_store(settings, parts, stream)
        await migrate(store)
        yield store


@asynccontextmanager
async def _our_turn(stream: JetStream) -> AsyncIterator[None]:
    """Be the one who may write, if nobody is."""
    turn = Lease(await stream.bucket(lease.BUCKET), "writer", this_process())
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
            parts.enter_context(hold(settings.data_dir))
        yield parts


@asynccontextmanager
async def _schemas(settings: Settings) -> AsyncIterator[tuple[Database, Store]]:
    crash.arm(settings.crash_at)
    async with AsyncExitStack() as parts:
        if not settings.clickhouse_url.startswith("http"):
            parts.enter_context(hold(settings.data_dir))
        database = await open_control(settings, parts)
        yield database, await open_event_store(settings, parts)


@dataclass(frozen=True)
class _Backing:
    """What both roads rest on."""

    stream: JetStream
    store: Store
    mark: Mark
    rollup: Rollup


async def _open_backing(settings: Settings, parts: AsyncExitStack) -> _Backing:
    stream = await open_stream(settings, parts)
    store = await open_event_store(settings, parts, stream)
    await migrate(store)
    return _Backing(stream, store, Mark(), Rollup(store, settings.rollup_events))


async def _make_writing(settings: Settings, database: Database, backing: _Backing) -> Writing:
    stream, store, mark, rollup = backing.stream, backing.store, backing.mark, backing.rollup
    erasures = Erasures(database)

    def new_writer(moves: Mark) -> Writer:
        eraser = Eraser(erasures, store, stream, rollup)
        return Writer(stream, store, moves, settings, eraser)

    environments = Environments(database)
    days_kept = _and_canaries(environments.days_kept)
    retention = Retention(store, rollup, days_kept, read_gone=environments.deleted)
    audit = AuditLog(database, settings.audit_days)
    publisher = Publisher(stream, mark, Hints(), settings)
    ingest = Ingest(publisher, Receipts(secret_of(settings)), settings)
    engine = await open_engine(settings, database, stream, ingest)
    if settings.is_shared:
        # The mark of all is moved by what the ledger says; this writer has one for itself.
        turn = Lease(await stream.bucket(lease.BUCKET), "writer", this_process())
        turns = Turns(turn, retention, audit, lambda: new_writer(Mark()))
        return Writing(settings, stream, store, mark, rollup, retention, audit, None, turns, engine)
    writer = new_writer(mark)
    await writer.begin()
    return Writing(settings, stream, store, mark, rollup, retention, audit, writer, None, engine)


def _and_canaries(read_days: ReadDays) -> ReadDays:
    """How many days environments keep their events, and how many the service keeps its own."""

    async def read() -> Mapping[str, int]:
        return {**await read_days(), CANARY: DAYS_KEPT}

    return read


async def _make_answering(
    settings: Settings,
    parts: AsyncExitStack,
    accounts: Accounts,
    backing: _Backing,
    writer: Writer | None,
) -> Answering:
    """`writer` is the one in this process, if it alone moves the mark."""
    _warn_of_open_edge(settings)
    stream, store, mark = backing.stream, backing.store, backing.mark
    secret = secret_of(settings)
    shared = open_shared(settings, secret, parts)
    cache = AnswerCache(settings.cache_seconds, share=Share(shared, settings.cache_seconds))
    parts.push_async_callback(cache.close)
    live = Live(mark, settings.live_listeners, settings.live_per_environment)
    parts.push_async_callback(live.close)
    receipts = Receipts(secret)
    nonces = await open_nonces(settings, secret, parts)
    desk = open_desk(settings, parts, accounts, secret)
    hints = Hints(writer.near_net if writer else None, shared=shared)
    publisher = Publisher(stream, mark, hints, settings)
    questions = Questions(store, stream, cache, settings, mark)
    ingest = Ingest(publisher, receipts, settings)
    return Answering(
        settings=settings,
        database=accounts.database,
        environments=accounts.environments,
        keys=accounts.keys,
        signatures=await open_signatures(settings, parts, accounts, nonces),
        signing_tokens=accounts.signing_tokens,
        sessions=desk.sessions,
        tickets=Tickets(accounts.database),
        sign_in=SignIn(accounts.database, desk),
        audit=AuditLog(accounts.database, settings.audit_days),
        registry=Registry.over(accounts.database, desk, Passwords(), _holds_events(questions)),
        pipelines=await open_pipelines(settings, accounts),
        pushing=Pushing(accounts.database, stream, settings.pipeline_bytes),
        insight=Insight(accounts.database, stream, _room(settings)),
        census=Census(accounts.database, stream),
        limits=desk.limits,
        stream=stream,
        store=store,
        shared=shared,
        mark=mark,
        rollup=backing.rollup,
        receipts=receipts,
        ingest=ingest,
        questions=questions,
        customers=Customers(store, settings.query_timeout),
        forgetting=Forgetting(Erasures(accounts.database), store, stream, mark),
        exports=Exports(store, mark, settings.query_timeout),
        saved=accounts.saved,
        shelf=_shelf(settings, parts, accounts, backing, questions),
        live=live,
        partners=Partners(accounts.signing_tokens, nonces, settings.signing_window),
        uploads=_uploads(settings, accounts),
        way=_way(settings, accounts, backing),
        operator_token=operator_token_of(settings, secret),
        started_at=time.time(),
        canary=Canary(ingest, store, settings.canary_seconds, settings.canary_late),
        follows=await _follow(parts, backing, writer),
    )


def _room(settings: Settings) -> Room:
    return Room(settings.pipeline_bytes, settings.pipeline_refused_bytes)


def _shelf(
    settings: Settings,
    parts: AsyncExitStack,
    accounts: Accounts,
    backing: _Backing,
    questions: Questions,
) -> Shelf:
    """Saved questions, answered; those that are kept for a time of their own in this process."""
    store, stream, mark = backing.store, backing.stream, backing.mark
    by_time: dict[int | None, Questions] = {None: questions}
    for seconds in KEPT:
        cache = AnswerCache(seconds, _KEPT_ANSWERS, _KEPT_BYTES)
        parts.push_async_callback(cache.close)
        by_time[seconds] = Questions(store, stream, cache, settings, mark)

    async def find(tenant: str, name: str) -> str:
        return (await accounts.saved.find(tenant, name)).definition

    return Shelf(find, by_time)


_KEPT_ANSWERS, _KEPT_BYTES = 1_000, 16 * 1024 * 1024
"""Answers to saved questions that are kept for each time, and bytes of them."""


def _uploads(settings: Settings, accounts: Accounts) -> Uploads:
    """Files to deliver; whoever serves has them delivered."""
    files = Files(settings.data_dir / "uploads", accounts.sealing)
    allowed = Allowed(
        settings.upload_max_bytes,
        settings.uploads_per_environment,
        settings.upload_bytes_per_environment,
    )
    kept = Kept(settings.uploads_at_once, settings.upload_days * 86_400)
    return Uploads(files, allowed, kept, settings.allow_private_targets)


def _holds_events(questions: Questions) -> Callable[[str], Awaitable[bool]]:
    """Whether the store has events of an environment."""

    async def holds(tenant: str) -> bool:
        return (await questions.stats(tenant)).total_ingested > 0

    return holds


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


def _way(settings: Settings, accounts: Accounts, backing: _Backing) -> Way:
    return Way(
        accounts.environments,
        Erasures(accounts.database),
        backing.stream,
        backing.store,
        backing.mark,
        settings.stream_max_bytes,
        settings.max_field_bytes,
    )


def _warn_of_open_edge(settings: Settings) -> None:
    guarded = settings.tls_cert or settings.trusted_proxies or settings.on_loopback
    if settings.environment == "production" and not guarded:
        log().warning(
            "start.no_tls",
            advice="keys and tokens travel in the clear: set HEADRACE_TLS_CERT, or put a proxy in "
            "front and set HEADRACE_TRUSTED_PROXIES",
        )


def _warn_of_unused(settings: Settings) -> None:
    if settings.questdb_url:
        instead = "ClickHouse" if settings.clickhouse_url else "DuckDB"
        log().warning("settings.questdb_unused", instead=f"events are kept in {instead}")
    if settings.nats_url:
        log().warning(
            "settings.stream_sync_unknown",
            advice="set jetstream { sync_interval: always } on that server",
        )
