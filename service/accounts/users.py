"""Users: who they are, and the environment that they work in."""

import time
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    ForeignKey,
    RowMapping,
    String,
    Table,
    insert,
    select,
)
from sqlalchemy.ext.asyncio import AsyncConnection

from service.accounts import audit
from service.accounts.audit import Actor
from service.accounts.environments import DEFAULT_ENVIRONMENT, new_environment
from service.database import Database, metadata
from service.errors import NotFound

OWNER = "owner"
"""The role of who may do everything in an environment."""

_LONGEST_NAME = 128

users = Table(
    "users",
    metadata,
    Column("id", String(36), primary_key=True),
    Column("email", String(254), nullable=False, unique=True),
    Column("name", String(_LONGEST_NAME), nullable=False),
    Column("is_superuser", Boolean, nullable=False),
    Column("environment_id", ForeignKey("environments.id"), nullable=False),
    Column("created_at", BigInteger, nullable=False),
)
"""`email` in the form of `account_of`; `environment_id` is where the user works now."""

members = Table(
    "members",
    metadata,
    Column("environment_id", ForeignKey("environments.id"), primary_key=True),
    Column("user_id", ForeignKey("users.id"), primary_key=True),
    Column("role", String(16), nullable=False),
)


@dataclass(frozen=True, slots=True)
class User:
    """A person with an account. `created_at` in ms since 1970 UTC."""

    id: str
    email: str
    name: str
    is_superuser: bool
    environment_id: str
    created_at: int


class Users:
    """The accounts of people.

    Whoever signs in first owns the default environment and is superuser; with `owner` (an address
    in the form of `account_of`) nobody else can. All others get an environment of their own.
    """

    def __init__(self, database: Database, owner: str = "") -> None:
        self._database = database
        self._owner = owner

    async def list(self) -> Sequence[User]:
        """All users, oldest first."""
        async with self._database.reading() as connection:
            rows = await connection.execute(select(users).order_by(users.c.created_at, users.c.id))
        return [user_of(row) for row in rows.mappings()]

    async def find(self, address: str) -> User:
        """The user of this address; raises NotFound."""
        async with self._database.reading() as connection:
            if user := await _find(connection, address):
                return user
        raise NotFound(f"there is no user {address}")

    async def ensure(self, connection: AsyncConnection, address: str, caller: str = "") -> User:
        """The user of this address, made at the first time with an environment to work in.

        `caller` is the network address of who signs in, for the audit log.
        """
        if user := await _find(connection, address):
            return user
        name = address.partition("@")[0][:_LONGEST_NAME]
        first = await self._is_first(connection, address)
        environment = DEFAULT_ENVIRONMENT if first else await new_environment(connection, name)
        row: dict[str, Any] = {
            "id": str(uuid.uuid4()),
            "email": address,
            "name": name,
            "is_superuser": first,
            "environment_id": environment,
            "created_at": time.time_ns() // 1_000_000,
        }
        await connection.execute(insert(users).values(**row))
        membership = {"environment_id": environment, "user_id": row["id"], "role": OWNER}
        await connection.execute(insert(members).values(**membership))
        by = Actor("user", row["id"], address, caller)
        await audit.note(connection, by, audit.USER_MADE, address, environment)
        return User(**row)

    async def _is_first(self, connection: AsyncConnection, address: str) -> bool:
        owners = select(members.c.user_id).where(
            members.c.environment_id == DEFAULT_ENVIRONMENT, members.c.role == OWNER
        )
        owned = (await connection.execute(owners)).first() is not None
        return not owned and self._owner in {"", address}


def user_of(row: RowMapping) -> User:
    """The user in a row that has at least the columns of `users`."""
    return User(**{field: row[users.c[field]] for field in User.__slots__})


async def _find(connection: AsyncConnection, address: str) -> User | None:
    found = await connection.execute(select(users).where(users.c.email == address))
    row = found.mappings().one_or_none()
    return user_of(row) if row else None
