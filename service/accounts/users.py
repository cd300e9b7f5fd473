"""Users: who they are, whether they may come in, and the environment that they work in."""

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
    delete,
    insert,
    select,
    update,
)
from sqlalchemy.ext.asyncio import AsyncConnection

from service.accounts import audit
from service.accounts.audit import Actor
from service.accounts.environments import DEFAULT_ENVIRONMENT, environments, new_environment
from service.accounts.memberships import OWNER, belonging, members
from service.database import Database, metadata
from service.errors import NotFound

_LONGEST_NAME = 128

users = Table(
    "users",
    metadata,
    Column("id", String(36), primary_key=True),
    Column("email", String(254), nullable=False, unique=True),
    Column("name", String(_LONGEST_NAME), nullable=False),
    Column("password", String(255)),
    Column("is_active", Boolean, nullable=False),
    Column("is_superuser", Boolean, nullable=False),
    Column("is_verified", Boolean, nullable=False),
    Column("environment_id", ForeignKey("environments.id")),
    Column("created_at", BigInteger, nullable=False),
)
"""`email` in the form of `account_of`; `password` as `Passwords.hash` gives it, null for none;
`environment_id` is where the user works now.
"""


@dataclass(frozen=True, slots=True)
class User:
    """A person with an account. `created_at` in ms since 1970 UTC."""

    id: str
    email: str
    name: str
    is_active: bool
    """Whether he may sign in."""
    is_superuser: bool
    is_verified: bool
    """Whether he has proved that he reads his address."""
    environment_id: str | None
    created_at: int


class Users:
    """The accounts of people.

    Whoever comes first owns the default environment and is superuser; with `owner` (an address in
    the form of `account_of`) nobody else can, and he only once he has proved his address.
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
            if user := await user_at(connection, address):
                return user
        raise NotFound(f"there is no user {address}")

    async def register(
        self, connection: AsyncConnection, address: str, password: str | None, by: Actor
    ) -> User:
        """Make an account for an address that has none, as yet without proof that it is his.

        `password` as `Passwords.hash` gives it. He has no environment to work in.
        """
        user = await _insert(connection, address, password=password, is_verified=False)
        if not self._owner:
            user = await self._endow(connection, user)
        who = by if by.kind == "operator" else Actor("user", user.id, address, by.address)
        await audit.note(connection, who, audit.USER_MADE, address)
        return user

    async def ensure(self, connection: AsyncConnection, address: str, caller: str = "") -> User:
        """The user of this address, who has just proved it, with an environment to work in.

        He is made at the first time. What whoever registered this address without proof had set
        is good no more. `caller` is the network address of who signs in, for the audit log.
        """
        user = await user_at(connection, address)
        made = user is None
        if user is None:
            user = await _insert(connection, address, password=None, is_verified=True)
        user = await self.prove(connection, user)
        if user.environment_id is None:
            await _settle(connection, user)
        user = await user_by_id(connection, user.id)
        if made:
            by = Actor("user", user.id, address, caller)
            await audit.note(connection, by, audit.USER_MADE, address, user.environment_id)
        return user

    async def prove(self, connection: AsyncConnection, user: User) -> User:
        """The user, who has just proved his address.

        At the first time he loses the password that somebody set without that proof.
        """
        if not user.is_verified:
            await _set(connection, user.id, is_verified=True, password=None)
        return await self._endow(connection, await user_by_id(connection, user.id))

    async def _endow(self, connection: AsyncConnection, user: User) -> User:
        """Make him owner of the default environment and superuser, if that is for him."""
        owners = select(members.c.user_id).where(
            members.c.environment_id == DEFAULT_ENVIRONMENT, members.c.role == OWNER
        )
        owned = (await connection.execute(owners)).first() is not None
        if owned or self._owner not in {"", user.email}:
            return user
        await _set(connection, user.id, is_superuser=True)
        await join(connection, DEFAULT_ENVIRONMENT, user.id, OWNER)
        return await user_by_id(connection, user.id)


def user_of(row: RowMapping) -> User:
    """The user in a row that has at least the columns of `users`."""
    return User(**{field: row[users.c[field]] for field in User.__slots__})


async def user_at(connection: AsyncConnection, address: str) -> User | None:
    """The user of an address, if there is one."""
    found = await connection.execute(select(users).where(users.c.email == address))
    row = found.mappings().one_or_none()
    return user_of(row) if row else None


async def user_by_id(connection: AsyncConnection, user_id: str) -> User:
    """The user of this id; raises NotFound."""
    found = await connection.execute(select(users).where(users.c.id == user_id))
    row = found.mappings().one_or_none()
    if row is None:
        raise NotFound(f"there is no user {user_id}")
    return user_of(row)


async def join(connection: AsyncConnection, environment_id: str, user_id: str, role: str) -> None:
    """Give a user a role in an environment on his own account, instead of the one he has."""
    row = {"environment_id": environment_id, "user_id": user_id}
    await connection.execute(delete(members).filter_by(**row))
    await connection.execute(insert(members).values(**row, role=role))


async def _settle(connection: AsyncConnection, user: User) -> None:
    """Have him work in the oldest environment that he belongs to; in a new one of his own else."""
    oldest = (
        select(environments.c.id)
        .join(belonging, belonging.c.environment_id == environments.c.id)
        .where(belonging.c.user_id == user.id)
        .order_by(environments.c.created_at, environments.c.id)
    )
    environment = (await connection.execute(oldest)).scalars().first()
    if environment is None:
        environment = await new_environment(connection, user.name)
        await join(connection, environment, user.id, OWNER)
    await _set(connection, user.id, environment_id=environment)


async def _insert(connection: AsyncConnection, address: str, **values: Any) -> User:
    row: dict[str, Any] = {
        "id": str(uuid.uuid4()),
        "email": address,
        "name": address.partition("@")[0][:_LONGEST_NAME],
        "is_active": True,
        "is_superuser": False,
        "environment_id": None,
        "created_at": time.time_ns() // 1_000_000,
    }
    await connection.execute(insert(users).values(**row, **values))
    return await user_by_id(connection, row["id"])


async def _set(connection: AsyncConnection, user_id: str, **values: Any) -> None:
    await connection.execute(update(users).where(users.c.id == user_id).values(**values))
