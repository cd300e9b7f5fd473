"""What the operator of a service changes of environments and users, whoever owns them."""

from typing import Any

from sqlalchemy import or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from service.accounts import audit, key_rows
from service.accounts.audit import Actor
from service.accounts.environments import (
    DEFAULT_ENVIRONMENT,
    Environment,
    change,
    environment_by_id,
    environments,
    new_environment,
)
from service.accounts.memberships import OWNER
from service.accounts.names import check_name
from service.accounts.sessions import end_sessions, heed, heed_environment, sessions
from service.accounts.tiers import TIERS
from service.accounts.users import User, Users, join, user_at, user_by_id, users
from service.database import Database
from service.errors import Conflict, InvalidInput, NotFound


async def environment_called(database: Database, called: str) -> Environment:
    """The environment of this id or this name; raises NotFound."""
    either = or_(environments.c.id == called, environments.c.name == called)
    mine = select(environments.c.id).where(either, environments.c.deleted_at.is_(None))
    async with database.reading() as connection:
        found = (await connection.execute(mine)).scalars().first()
        if found is None:
            raise NotFound(f"there is no environment {called}")
        return await environment_by_id(connection, found)


async def id_called(database: Database, called: str | None) -> str | None:
    """The id of the environment of this id or this name, if one is named; raises NotFound."""
    return None if called is None else (await environment_called(database, called)).id


async def make_environment(
    database: Database, name: str, owner: str | None, tier: str, by: Actor
) -> Environment:
    """Make an environment of a tier; `owner` is the address of a user who shall own it.

    Raises InvalidInput, NotFound when there is no such user, Conflict when the name is taken.
    """
    check_name(name)
    _check_tier(tier)
    async with database.writing() as connection:
        same = select(environments.c.id).where(environments.c.name == name)
        if (await connection.execute(same)).first() is not None:
            raise Conflict(f"there is an environment of the name {name}")
        made = await new_environment(connection, name)
        await change(connection, made, tier=tier)
        if owner is not None:
            await _give(connection, made, await _user(connection, owner))
        here = (made, made)
        await audit.note(
            connection, by, audit.ENVIRONMENT_MADE, *here, name=name, tier=tier, owner=owner
        )
        return await environment_by_id(connection, made)


async def set_tier(database: Database, environment_id: str, tier: str, by: Actor) -> int:
    """Give an environment another tier; how many of its keys had a larger one and have it now.

    It holds in every process within a second. Raises InvalidInput, NotFound.
    """
    _check_tier(tier)
    async with database.writing() as connection:
        former = await environment_by_id(connection, environment_id)
        await change(connection, environment_id, tier=tier)
        await heed_environment(connection, environment_id)
        lowered = await key_rows.lower(connection, environment_id, tier)
        told: dict[str, Any] = {"tier": tier, "former": former.tier, "keys_lowered": lowered}
        here = (environment_id, environment_id)
        await audit.note(connection, by, audit.ENVIRONMENT_CHANGED, *here, **told)
    return lowered


async def set_public(database: Database, environment_id: str, public: bool, by: Actor) -> None:
    """Let anybody see an environment's metrics, or those alone who belong to it.

    Raises NotFound; Conflict for the default environment, of which a setting says it.
    """
    if environment_id == DEFAULT_ENVIRONMENT:
        raise Conflict("HEADRACE_PUBLIC_METRICS says who sees the default environment's metrics")
    async with database.writing() as connection:
        await environment_by_id(connection, environment_id)
        await change(connection, environment_id, public_metrics=public)
        here = (environment_id, environment_id)
        await audit.note(connection, by, audit.ENVIRONMENT_CHANGED, *here, public_metrics=public)


async def make_user(
    database: Database, people: Users, address: str, password: str | None, by: Actor
) -> User:
    """Make an account for an address that the operator vouches for.

    `password` as `Passwords.hash` gives it, None for somebody who signs in with codes. Whoever
    comes first owns the default environment (see `Users`). Raises Conflict when there is one.
    """
    async with database.writing() as connection:
        if await user_at(connection, address):
            raise Conflict(f"there is a user {address}")
        made = await people.register(connection, address, password, by)
        mine = update(users).where(users.c.id == made.id)
        await connection.execute(mine.values(is_verified=True))
        return await user_by_id(connection, made.id)


async def set_superuser(database: Database, address: str, is_superuser: bool, by: Actor) -> User:
    """Let a user see and change what is not his, or no longer.

    Raises NotFound; Conflict when nobody would be left who may.
    """
    async with database.writing() as connection:
        user = await _user(connection, address)
        if not is_superuser:
            await _check_not_last(connection, user)
        return await _change_user(connection, user, by, is_superuser=is_superuser)


async def set_active(database: Database, address: str, is_active: bool, by: Actor) -> User:
    """Let a user sign in, or not: then all his sessions end, and those of his service accounts.

    Raises NotFound; Conflict for the last superuser.
    """
    async with database.writing() as connection:
        user = await _user(connection, address)
        if not is_active:
            await _check_not_last(connection, user)
            await end_sessions(connection, sessions.c.user_id == user.id)
        return await _change_user(connection, user, by, is_active=is_active)


async def _change_user(connection: AsyncConnection, user: User, by: Actor, **values: bool) -> User:
    await connection.execute(update(users).where(users.c.id == user.id).values(**values))
    await heed(connection, [user.id])
    await audit.note(connection, by, audit.USER_CHANGED, user.email, user.environment_id, **values)
    return await user_by_id(connection, user.id)


async def _check_not_last(connection: AsyncConnection, user: User) -> None:
    others = select(users.c.id).where(
        users.c.is_superuser, users.c.is_active, users.c.id != user.id
    )
    if user.is_superuser and (await connection.execute(others)).first() is None:
        raise Conflict(f"{user.email} is the last superuser: promote another one first")


async def _user(connection: AsyncConnection, address: str) -> User:
    user = await user_at(connection, address)
    if user is None:
        raise NotFound(f"there is no user {address}")
    return user


async def _give(connection: AsyncConnection, environment_id: str, owner: User) -> None:
    """Make a user owner; who works nowhere works there from now on."""
    await join(connection, environment_id, owner.id, OWNER)
    if owner.environment_id is None:
        mine = update(users).where(users.c.id == owner.id)
        await connection.execute(mine.values(environment_id=environment_id))
    await heed(connection, [owner.id])


def _check_tier(tier: str) -> None:
    if tier not in TIERS:
        raise InvalidInput(f"a tier is one of {', '.join(TIERS)}", "tier")
