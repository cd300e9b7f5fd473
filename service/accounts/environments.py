"""Environments: each is one tenant, with its own events, keys and answers."""

import time
from dataclasses import dataclass
from typing import Any

from sqlalchemy import BigInteger, Boolean, Column, String, Table, insert, select, update

from service.database import Database, metadata
from service.errors import NotFound

DEFAULT_ENVIRONMENT = "env_default"
"""The id of the environment that every installation has."""

environments = Table(
    "environments",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("name", String(128), nullable=False),
    Column("public_metrics", Boolean, nullable=False),
    Column("created_at", BigInteger, nullable=False),
)


@dataclass(frozen=True, slots=True)
class Environment:
    """One tenant. `created_at` in ms since 1970 UTC."""

    id: str
    name: str
    public_metrics: bool
    """Whether anonymous calls may see its metrics."""
    created_at: int


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
        async with self._database.writing() as connection:
            mine = select(environments.c.id).where(environments.c.id == DEFAULT_ENVIRONMENT)
            if (await connection.execute(mine)).first() is None:
                await connection.execute(insert(environments).values(**_default()))
            if public_metrics is not None:
                await connection.execute(
                    update(environments)
                    .where(environments.c.id == DEFAULT_ENVIRONMENT)
                    .values(public_metrics=public_metrics)
                )
        default = await self.find(DEFAULT_ENVIRONMENT)
        self._public_tenant = default.id if default.public_metrics else None
        return default

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


def _default() -> dict[str, Any]:
    return {
        "id": DEFAULT_ENVIRONMENT,
        "name": "default",
        "public_metrics": False,
        "created_at": time.time_ns() // 1_000_000,
    }
