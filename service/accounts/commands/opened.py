"""The accounts of a data directory, opened for one command, and who gives the command."""

import os
import pwd
import secrets
from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager

from sqlalchemy import Table, select
from sqlalchemy.exc import SQLAlchemyError

from service.accounts.audit import Actor
from service.accounts.credentials import now_ms
from service.accounts.environments import Environments
from service.accounts.keys import BOOTSTRAP_SCOPES, Keys
from service.accounts.sealing import Sealing
from service.database import Database, open_database, upgrade
from service.errors import AccountsUnavailable, NotFound
from service.settings import Settings

_LONGEST_LOAN_MS = 24 * 3600 * 1000


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
async def opened_keys(settings: Settings, sealing: Sealing | None = None) -> AsyncIterator[Keys]:
    """The keys of the data directory, as `opened_accounts` opens it."""
    async with opened_accounts(settings) as database:
        yield Keys(database, sealing)


@asynccontextmanager
async def borrowed_key(
    settings: Settings, scopes: Collection[str] = ("ingest", "read")
) -> AsyncIterator[str]:
    """A key that can do this: the bootstrap key, or one that ends with the block."""
    if settings.bootstrap_api_key and set(scopes) <= set(BOOTSTRAP_SCOPES):
        yield settings.bootstrap_api_key
        return
    async with opened_keys(settings) as keys:
        name, until = f"borrowed {secrets.token_hex(4)}", now_ms() + _LONGEST_LOAN_MS
        new = await keys.create(name, scopes, expires_at=until, by=operator())
        try:
            yield new.text
        finally:
            await keys.revoke(new.key.id, by=operator())


async def environment_of(database: Database, table: Table, what: str, row_id: str) -> str:
    """The environment that a key or a signing token belongs to; raises NotFound."""
    one = select(table.c.environment_id).where(table.c.id == row_id)
    async with database.reading() as connection:
        found: str | None = (await connection.execute(one)).scalar_one_or_none()
    if found is None:
        raise NotFound(f"there is no {what} {row_id}")
    return found


def operator() -> Actor:
    """Whoever runs the command, by the name that the machine knows him under."""
    try:
        name = pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        name = f"uid {os.getuid()}"
    return Actor("operator", name, name, "")
