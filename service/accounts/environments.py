"""Environments: each is one tenant, with its own events, keys and answers."""

import secrets
import time
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Integer,
    RowMapping,
    String,
    Table,
    func,
    insert,
    select,
    update,
)
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection

from service.accounts import audit
from service.accounts.audit import Actor
from service.accounts.follower import Change, Follower
from service.accounts.tiers import ENTERPRISE, FREE
from service.database import Database, heard, metadata
from service.errors import AccountsUnavailable, NotFound

DEFAULT_ENVIRONMENT = "env_default"
"""The id of the environment that every installation has."""

environments = Table(
    "environments",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("name", String(128), nullable=False, index=True, unique=True),
    Column("description", String(1000), nullable=False),
    Column("public_metrics", Boolean, nullable=False),
    Column("use_retention", Boolean, nullable=False),
    Column("retention_days", Integer),
    Column("tier", String(32), nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Column("deleted_at", BigInteger),
    Column("revision", BigInteger, nullable=False, index=True),
)
"""A deleted one keeps its row, without its name, for the keys that point at it.

`revision` grows with every change that verification must hear of (see `Follower`).
"""


@dataclass(frozen=True, slots=True)
class Environment:
    """One tenant. `created_at` in ms since 1970 UTC."""

    id: str
    name: str
    description: str
    public_metrics: bool
    """Whether anonymous calls may see its metrics."""
    use_retention: bool
    """Whether `retention_days` is heeded."""
    retention_days: int | None
    tier: str
    """The largest tier that its keys may have."""
    created_at: int

    @property
    def days_kept(self) -> int | None:
        """Days of event time that it keeps its events; None keeps them for ever."""
        return self.retention_days if self.use_retention else None


class Environments:
    """The environments of this installation. Other processes may change them at any time."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._live = Follower(self._changes)

    async def is_public(self, environment_id: str) -> bool:
        """Whether anybody may see its metrics; a change is heard within half a second.

        Raises AccountsUnavailable.
        """
        found = await self._live.find(environment_id)
        return found is not None and found.public_metrics

    async def ensure_default(self, public_metrics: bool | None = None) -> Environment:
        """Make the default environment if it is not there, with private metrics.

        `public_metrics` sets who sees them, now and for good; None leaves that as it is.
        """
        default = _row(DEFAULT_ENVIRONMENT, "default", ENTERPRISE)
        async with self._database.writing() as connection:
            mine = select(environments.c.id).where(environments.c.id == DEFAULT_ENVIRONMENT)
            if (await connection.execute(mine)).first() is None:
                revision = await _next_revision(connection)
                await connection.execute(insert(environments).values(**default, revision=revision))
            if public_metrics is not None:
                await change(connection, DEFAULT_ENVIRONMENT, public_metrics=public_metrics)
        return await self.find(DEFAULT_ENVIRONMENT)

    async def find(self, environment_id: str) -> Environment:
        """The environment of this id; raises NotFound."""
        async with self._database.reading() as connection:
            return await environment_by_id(connection, environment_id)

    async def list(self) -> Sequence[Environment]:
        """All of them, the oldest first."""
        order = (environments.c.created_at, environments.c.id)
        async with self._database.reading() as connection:
            rows = await connection.execute(_LIVE.order_by(*order))
        return [environment_of(row) for row in rows.mappings()]

    async def set_retention(
        self, environment_id: str, days: int | None, by: Actor = audit.SERVICE
    ) -> Environment:
        """Keep its events for so many days from now on, or for ever; raises NotFound."""
        async with self._database.writing() as connection:
            await environment_by_id(connection, environment_id)
            values = {"use_retention": days is not None, "retention_days": days}
            await change(connection, environment_id, **values)
            here = (environment_id, environment_id)
            await audit.note(connection, by, audit.RETENTION_CHANGED, *here, days=days)
            return await environment_by_id(connection, environment_id)

    async def days_kept(self) -> Mapping[str, int]:
        """How many days each environment keeps that does not keep its events for ever.

        Raises AccountsUnavailable when the database does not answer.
        """
        try:
            return {e.id: e.days_kept for e in await self.list() if e.days_kept}
        except SQLAlchemyError as error:
            reason = getattr(error, "orig", error)
            raise AccountsUnavailable(
                f"the accounts' database does not answer: {reason}"
            ) from error

    async def deleted(self) -> Sequence[str]:
        """The ids of those that were deleted. Raises AccountsUnavailable."""
        gone = select(environments.c.id).where(environments.c.deleted_at.is_not(None))
        with heard():
            async with self._database.reading() as connection:
                return list((await connection.execute(gone)).scalars())

    async def close(self) -> None:
        """Return when nothing is under way any more."""
        await self._live.close()

    async def _changes(self, revision: int) -> Sequence[Change[Environment]]:
        changed = select(environments).where(environments.c.revision > revision)
        async with self._database.reading() as connection:
            rows = (await connection.execute(changed)).mappings().all()
        return [_change(row) for row in rows]


async def new_environment(
    connection: AsyncConnection, name: str, description: str = "", use_retention: bool = False
) -> str:
    """Make an environment of the smallest tier in the caller's transaction; its id.

    A name that is taken gets an ending.
    """
    row = _row(str(uuid.uuid4()), await _free_name(connection, name), FREE)
    row |= {"description": description, "use_retention": use_retention}
    revision = await _next_revision(connection)
    await connection.execute(insert(environments).values(**row, revision=revision))
    return str(row["id"])


async def change(connection: AsyncConnection, environment_id: str, **values: Any) -> None:
    """Change an environment's row so that every process hears of it."""
    mine = update(environments).where(environments.c.id == environment_id)
    revision = await _next_revision(connection)
    await connection.execute(mine.values(**values, revision=revision))


async def bury(connection: AsyncConnection, environment_id: str) -> None:
    """Leave of an environment no more than its row, under its id for a name."""
    gone = {"name": environment_id, "public_metrics": False, "use_retention": False}
    await change(connection, environment_id, **gone, deleted_at=time.time_ns() // 1_000_000)


async def environment_by_id(connection: AsyncConnection, environment_id: str) -> Environment:
    """The environment of this id; raises NotFound."""
    found = await connection.execute(_LIVE.where(environments.c.id == environment_id))
    row = found.mappings().one_or_none()
    if row is None:
        raise NotFound(f"there is no environment {environment_id}")
    return environment_of(row)


def environment_of(row: RowMapping) -> Environment:
    """The environment in a row that has at least the columns of `environments`."""
    return Environment(**{field: row[environments.c[field]] for field in Environment.__slots__})


_LIVE = select(environments).where(environments.c.deleted_at.is_(None))


def _change(row: RowMapping) -> Change[Environment]:
    live = environment_of(row) if row["deleted_at"] is None else None
    return Change(row["id"], row["id"], live, row["revision"])


async def _free_name(connection: AsyncConnection, name: str) -> str:
    same = select(environments.c.id).where(environments.c.name == name)
    if (await connection.execute(same)).first() is None:
        return name
    return f"{name[:119]} {secrets.token_hex(4)}"


async def _next_revision(connection: AsyncConnection) -> int:
    """Grows in the order of commits, because transactions that write take turns."""
    found = await connection.execute(select(func.max(environments.c.revision)))
    return (found.scalar() or 0) + 1


def _row(environment_id: str, name: str, tier: str) -> dict[str, Any]:
    return {
        "id": environment_id,
        "name": name,
        "description": "",
        "public_metrics": False,
        "use_retention": False,
        "created_at": time.time_ns() // 1_000_000,
        "tier": tier,
    }
