"""What is reached without the service: the event store, the accounts, what is shared, mail."""

import asyncio
from collections.abc import Sequence
from urllib.parse import urlsplit

from service.bootstrap.looking import looked_at_accounts, looked_at_shared, looked_at_store
from service.database import is_current
from service.doctor.clocks import compare
from service.doctor.place import size
from service.doctor.remark import Part, Remark
from service.errors import HeadraceError
from service.events import now_ms
from service.migrate import pending
from service.settings import Settings
from service.storage.protocol import Statement

_STORE, _ACCOUNTS = Part("event store"), Part("accounts")
_SHARED, _MAIL = Part("cache"), Part("mail")
_PATIENCE = 10.0
_LEAST_SHARE = 0.05
_MIGRATE = "run `headrace migrate`, or start the service: it migrates first"
_AWAY = (HeadraceError, OSError, TimeoutError)


async def examine_store(settings: Settings, asked: bool) -> Sequence[Remark]:
    """The event store; what the service was `asked` already is not looked at again."""
    over_http = settings.clickhouse_url.startswith("http")
    if not over_http and (asked or not (settings.data_dir / "events.duckdb").exists()):
        return []
    try:
        async with asyncio.timeout(_PATIENCE), looked_at_store(settings) as store:
            due = [] if asked else await pending(store)
            found = [] if asked else [_schema(_STORE, due)]
            if over_http:
                before = now_ms()
                [table] = await store.fetch(Statement("server"))
                found += _server(table.to_pylist()[0], before)
            return found
    except _AWAY as error:
        return [_away(_STORE, error, "CLICKHOUSE_URL")]


def _server(told: dict[str, int], before: int) -> Sequence[Remark]:
    free, total = told["free"], told["total"]
    room = f"{size(free)} of {size(total)} are free on its fullest disk"
    disk = _STORE.right("disk", room)
    if free < _LEAST_SHARE * total:
        disk = _STORE.wrong("disk", room, "free some: inserts fail when it is full")
    reached = _STORE.right("server", f"ClickHouse {told['version']} answers from here")
    return [reached, compare(_STORE, told["now"], before, now_ms()), disk]


async def examine_accounts(settings: Settings) -> Sequence[Remark]:
    """The accounts' database, which is read beside the service."""
    if not settings.postgres_url and not (settings.data_dir / "control.sqlite").exists():
        return []
    try:
        async with asyncio.timeout(_PATIENCE), looked_at_accounts(settings) as database:
            await database.ping()
            before = now_ms()
            clock = await database.clock()
            found = [_ACCOUNTS.right("reached", "the database answers")]
            if clock is not None:
                found.append(compare(_ACCOUNTS, clock, before, now_ms()))
            due = [] if await is_current(database) else ["migrations"]
            return [*found, _schema(_ACCOUNTS, due)]
    except _AWAY as error:
        return [_away(_ACCOUNTS, error, "POSTGRES_URL")]


async def examine_shared(settings: Settings) -> Sequence[Remark]:
    """Redis, where one is named."""
    if not settings.redis_url:
        return []
    try:
        async with asyncio.timeout(_PATIENCE), looked_at_shared(settings) as shared:
            await shared.ping()
    except _AWAY as error:
        advice = "look at REDIS_URL: without it each process counts limits and answers alone"
        return [_SHARED.doubtful("reached", f"no answer: {_reason(error)}", advice)]
    return [_SHARED.right("reached", "Redis answers")]


async def examine_mail(settings: Settings) -> Sequence[Remark]:
    """The port of the SMTP server, where one is named; nothing is sent."""
    if not settings.smtp_url:
        return []
    parts = urlsplit(settings.smtp_url)
    port = parts.port or (465 if parts.scheme == "smtps" else 25)
    try:
        async with asyncio.timeout(_PATIENCE):
            _, writer = await asyncio.open_connection(parts.hostname, port)
    except (OSError, TimeoutError) as error:
        return [_away(_MAIL, error, "HEADRACE_SMTP_URL")]
    writer.close()
    await writer.wait_closed()
    return [_MAIL.right("reached", f"{parts.hostname}:{port} takes connections")]


def _schema(part: Part, due: Sequence[str]) -> Remark:
    if due:
        return part.wrong("schema", f"it lacks {', '.join(due)}", _MIGRATE)
    return part.right("schema", "as this program wants it")


def _away(part: Part, error: Exception, variable: str) -> Remark:
    said = f"no answer: {_reason(error)}"
    return part.wrong("reached", said, f"start it, or correct {variable}")


def _reason(error: Exception) -> str:
    return str(error) or f"nothing within {_PATIENCE:g} s"
