"""Environments: each is one tenant, with its own events, keys and answers."""

import secrets
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import BigInteger, Boolean, Column, Integer, String, Table, insert, select, update
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection

from service.accounts import audit
from service.accounts.audit import Actor
from service.accounts.tiers import ENTERPRISE, FREE
from service.database import Database, metadata
from service.errors import AccountsUnavailable, NotFound

DEFAULT_ENVIRONMENT = "env_default"
"""The id of the environment that every installation has."""

environments = Table(
    "environments",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("name", String(128), nullable=False),
    Column("public_metrics", Boolean, nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Column("retention_days", Integer, nullable=True),
    Column("tier", String(32), nullable=False),
)


@dataclass(frozen=True, slots=True)
class Environment:
    """One tenant. `created_at` in ms since 1970 UTC."""

    id: str
    name: str
    public_metrics: bool
    """Whether anonymous calls may see its metrics."""
    created_at: int
    retention_days: int | None
    """Days of event time that it keeps its events; None keeps them for ever."""
    tier: str
    """The largest tier that its keys may have."""


class Environments:
    """The environments of this installation."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._public_tenant: str | None = None

    def public_tenant(self) -> str | None:
        """The environment whose metrics anybody may see, as of the last `ensure_default`."""
        return self._public_tenant

    async def ensure_default(self, public_metrics: bool | None = None) -> Environment:
        """Make the default environment if it is not there, with private metrics.

        `public_metrics` sets who sees them, now and for good; None leaves that as it is.
        """
        default = _row(DEFAULT_ENVIRONMENT, "default", ENTERPRISE)
        async with self._database.writing() as connection:
            mine = select(environments.c.id).where(environments.c.id == DEFAULT_ENVIRONMENT)
            if (await connection.execute(mine)).first() is None:
                await connection.execute(insert(environments).values(**default))
            if public_metrics is not None:
                await connection.execute(
                    update(environments)
                    .where(environments.c.id == DEFAULT_ENVIRONMENT)
                    .values(public_metrics=public_metrics)
                )
        found = await self.find(DEFAULT_ENVIRONMENT)
        self._public_tenant = found.id if found.public_metrics else None
        return found

    async def find(self, environment_id: str) -> Environment:
        """The environment of this id; raises NotFound."""
        async with self._database.reading() as connection:
            found = await connection.execute(
                select(environments).where(environments.c.id == environment_id)
            )
        row = found.one_or_none()
        if row is None:
            raise NotFound(f"there is no environment {environment_id}")
        return Environment(*row)

    async def list(self) -> Sequence[Environment]:
        """All of them, the oldest first."""
        async with self._database.reading() as connection:
            order = (environments.c.created_at, environments.c.id)
            rows = (await connection.execute(select(environments).order_by(*order))).all()
        return [Environment(*row) for row in rows]

    async def set_retention(
        self, environment_id: str, days: int | None, by: Actor = audit.SERVICE
    ) -> Environment:
        """Keep its events for so many days from now on, or for ever; raises NotFound."""
        async with self._database.writing() as connection:
            mine = update(environments).where(environments.c.id == environment_id)
            if (await connection.execute(mine.values(retention_days=days))).rowcount:
                here = (environment_id, environment_id)
                await audit.note(connection, by, audit.RETENTION_CHANGED, *here, days=days)
        return await self.find(environment_id)

    async def days_kept(self) -> Mapping[str, int]:
        """How many days each environment keeps that does not keep its events for ever.

        Raises AccountsUnavailable when the database does not answer.
        """
        try:
            return {e.id: e.retention_days for e in await self.list() if e.retention_days}
        except SQLAlchemyError as error:
            reason = getattr(error, "orig", error)
            raise AccountsUnavailable(
                f"the accounts' database does not answer: {reason}"
            ) from error


async def new_environment(connection: AsyncConnection, name: str) -> str:
    """Make an environment of the smallest tier in the caller's transaction; its id."""
    row = _row(f"env_{secrets.token_hex(12)}", name, FREE)
    await connection.execute(insert(environments).values(**row))
    return str(row["id"])


def _row(environment_id: str, name: str, tier: str) -> dict[str, Any]:
    return {
        "id": environment_id,
        "name": name,
        "public_metrics": False,
        "created_at": time.time_ns() // 1_000_000,
        "tier": tier,
    }
