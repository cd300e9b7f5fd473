"""The accounts of a data directory, for commands that may run beside the service."""

import secrets
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta

from rich.console import Console
from rich.table import Column, Table
from sqlalchemy.exc import SQLAlchemyError

from service.accounts.addresses import account_of
from service.accounts.environments import Environment, Environments
from service.accounts.key_rows import Key
from service.accounts.keys import Keys, NewKey
from service.accounts.principals import SCOPES
from service.accounts.sealing import Sealing
from service.accounts.sessions import end_all
from service.accounts.users import Users
from service.database import Database, open_database, upgrade
from service.errors import AccountsUnavailable
from service.settings import Settings

_LONGEST_LOAN_MS = 24 * 3600 * 1000


@asynccontextmanager
async def opened_keys(settings: Settings, sealing: Sealing | None = None) -> AsyncIterator[Keys]:
    """The keys of the data directory, as `opened_accounts` opens it."""
    async with opened_accounts(settings) as database:
        yield Keys(database, sealing)


@asynccontextmanager
async def opened_accounts(settings: Settings) -> AsyncIterator[Database]:
    """The accounts of the data directory, which is made if need be.

    Raises AccountsUnavailable when the database cannot be read or written.
    """
    database = open_database(settings)
    try:
        await upgrade(database)
        await Environments(database).ensure_default()
        yield database
    except SQLAlchemyError as error:
        reason = getattr(error, "orig", error)
        raise AccountsUnavailable(f"the accounts' database does not answer: {reason}") from error
    finally:
        await database.close()


@asynccontextmanager
async def borrowed_key(settings: Settings) -> AsyncIterator[str]:
    """A key that can send and ask: the bootstrap key, or one that ends with the block."""
    if settings.bootstrap_api_key:
        yield settings.bootstrap_api_key
        return
    async with opened_keys(settings) as keys:
        until = _now() + _LONGEST_LOAN_MS
        new = await keys.create(
            f"borrowed {secrets.token_hex(4)}", ("ingest", "read"), expires_at=until
        )
        try:
            yield new.text
        finally:
            await keys.revoke(new.key.id)


async def create_key(
    settings: Settings,
    name: str,
    scopes: Sequence[str],
    expires_at: int | None,
    sealing: Sealing | None = None,
) -> NewKey:
    """Make a key in the data directory; with `sealing` for its secret one that signs.

    Raises InvalidInput as `Keys.create` does.
    """
    async with opened_keys(settings, sealing) as keys:
        return await keys.create(name, scopes, expires_at=expires_at, signs=sealing is not None)


async def list_keys(settings: Settings, revoked_too: bool, console: Console) -> None:
    """Print the keys of the data directory as a table."""
    table = Table(Column("id", no_wrap=True), box=None)
    for heading in ("name", "begins", "scopes", "created", "last used", "state"):
        table.add_column(heading, overflow="fold")
    async with opened_keys(settings) as keys:
        for key in await keys.list():
            if revoked_too or key.revoked_at is None:
                table.add_row(*_cells(key))
    console.print(table)


async def revoke_key(settings: Settings, key_id: str) -> Key:
    """End a key of the data directory; raises NotFound when it has none of this id."""
    async with opened_keys(settings) as keys:
        return await keys.revoke(key_id)


async def list_environments(settings: Settings, console: Console) -> None:
    """Print the environments of the data directory as a table."""
    table = Table(Column("id", no_wrap=True), "name", "created", "keeps its events", box=None)
    async with opened_accounts(settings) as database:
        for environment in await Environments(database).list():
            created = _day(environment.created_at)
            table.add_row(environment.id, environment.name, created, _kept(environment))
    console.print(table)


async def set_retention(settings: Settings, environment_id: str, days: int | None) -> str:
    """Have an environment keep so many days, or for ever; what that means, in a sentence or two.

    Raises NotFound when there is no such environment.
    """
    async with opened_accounts(settings) as database:
        environment = await Environments(database).set_retention(environment_id, days)
    said = f"{environment.id} keeps its events {_kept(environment)}"
    if days is None:
        return f"{said}; nothing more is deleted"
    first = datetime.now(UTC).date() - timedelta(days=days)
    return (
        f"{said} of their own time: those from before {first} (UTC) are deleted for good within "
        "a minute by the service that writes, or when it starts; one more day at each midnight"
    )


def _kept(environment: Environment) -> str:
    days = environment.days_kept
    return "for ever" if days is None else f"for {days} day{'' if days == 1 else 's'}"


async def list_users(settings: Settings, console: Console) -> None:
    """Print the users of the data directory as a table."""
    table = Table(Column("e-mail", no_wrap=True), box=None)
    for heading in ("name", "environment", "created", ""):
        table.add_column(heading, overflow="fold")
    async with opened_accounts(settings) as database:
        for user in await Users(database).list():
            mark = "superuser" if user.is_superuser else ""
            cells = (user.email, user.name, user.environment_id or "", _day(user.created_at), mark)
            table.add_row(*cells)
    console.print(table)


async def sign_out(settings: Settings, email: str) -> int:
    """End every session of a user; how many. Raises NotFound, or InvalidInput for no address."""
    async with opened_accounts(settings) as database:
        user = await Users(database).find(account_of(email))
        return await end_all(database, user)


def _cells(key: Key) -> tuple[str, ...]:
    scopes = ",".join(scope for scope in SCOPES if scope in key.scopes)
    used = "never" if key.last_used_at is None else _day(key.last_used_at)
    return key.id, key.name, f"{key.prefix}…", scopes, _day(key.created_at), used, _state(key)


def _day(at: int) -> str:
    return f"{datetime.fromtimestamp(at / 1000, UTC):%Y-%m-%d %H:%MZ}"


def _state(key: Key) -> str:
    if key.revoked_at is not None:
        return f"revoked {_day(key.revoked_at)}"
    if key.expires_at is None:
        return "live"
    return f"{'live until' if key.expires_at > _now() else 'expired'} {_day(key.expires_at)}"


def _now() -> int:
    return time.time_ns() // 1_000_000
