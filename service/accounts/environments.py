"""Environments: each is one tenant, with its own events, keys and answers."""

import time
from dataclasses import dataclass

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

    async def ensure_default(self, public_metrics: bool) -> Environment:
        """Make the default environment if it is not there, and set who sees its metrics."""
        async with self._database.writing() as connection:
            changed = await connection.execute(
                update(environments)
                .where(environments.c.id == DEFAULT_ENVIRONMENT)
                .values(public_metrics=public_metrics)
            )
            if not changed.rowcount:
                await connection.execute(
                    insert(environments).values(
                        id=DEFAULT_ENVIRONMENT,
                        name="default",
                        public_metrics=public_metrics,
                        created_at=time.time_ns() // 1_000_000,
                    )
                )
        return await self.find(DEFAULT_ENVIRONMENT)

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
