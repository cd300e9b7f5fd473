"""The accounts of a data directory, for commands that may run beside the service."""

import secrets
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime

from rich.table import Column, Table
from sqlalchemy.exc import SQLAlchemyError

from service.accounts.environments import Environments
from service.accounts.keys import SCOPES, Key, Keys
from service.database import open_database, upgrade
from service.errors import AccountsUnavailable
from service.settings import Settings

_LONGEST_LOAN_MS = 24 * 3600 * 1000
_HEADINGS = ("name", "begins", "scopes", "created", "last used", "state")


@asynccontextmanager
async def opened_keys(settings: Settings) -> AsyncIterator[Keys]:
    """The keys of the data directory, which is made if need be.

    Raises AccountsUnavailable when the database cannot be read or written.
    """
    database = open_database(settings)
    try:
        await upgrade(database)
        await Environments(database).ensure_default()
        yield Keys(database)
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


def table_of(keys: Sequence[Key]) -> Table:
    """Keys as a table for people."""
    table = Table(Column("id", no_wrap=True), *_HEADINGS, box=None)
    for key in keys:
        scopes = ",".join(scope for scope in SCOPES if scope in key.scopes)
        used = "never" if key.last_used_at is None else _day(key.last_used_at)
        table.add_row(
            key.id, key.name, f"{key.prefix}…", scopes, _day(key.created_at), used, _state(key)
        )
    return table


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
