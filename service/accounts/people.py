"""People as they, and superusers, see and change them."""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import ColumnElement, delete, func, or_, select, true, update
from sqlalchemy.ext.asyncio import AsyncConnection

from service.accounts import audit
from service.accounts.addresses import account_of
from service.accounts.callers import Caller
from service.accounts.environments import environments
from service.accounts.logins import Logins
from service.accounts.memberships import OWNER, belonging, members, team_members
from service.accounts.names import check_name
from service.accounts.pages import Page, Span, rows_of
from service.accounts.sessions import Sessions, end_sessions, heed, sessions
from service.accounts.users import User, user_at, user_by_id, user_of, users
from service.database import Database, heard
from service.errors import Conflict, Forbidden, InvalidInput, NewAddressTaken, NotFound

_MARKS = ("is_active", "is_superuser", "is_verified")
"""What superusers alone change."""
_PROVEN = ("email", "password")
"""What takes the password there is, unless a superuser changes it for somebody else."""


class People:
    """The users of an installation, as far as a caller may know of them.

    That is himself and whoever belongs to an environment of his; a superuser knows all. Everything
    raises AccountsUnavailable, and NotFound for somebody whom he may not know of.
    """

    def __init__(self, database: Database, sessions: Sessions, logins: Logins) -> None:
        self._database = database
        self._sessions = sessions
        self._logins = logins

    async def page(self, caller: Caller, span: Span) -> Page[User]:
        """Those he may know of, oldest first."""
        question = (
            select(users)
            .where(_visible(caller))
            .where(
                or_(
                    users.c.email.icontains(span.search, autoescape=True),
                    users.c.name.icontains(span.search, autoescape=True),
                )
            )
            .order_by(users.c.created_at, users.c.id)
        )
        with heard():
            async with self._database.reading() as connection:
                rows, total = await rows_of(connection, question, span)
        return Page([user_of(row) for row in rows], total, span)

    async def find(self, caller: Caller, user_id: str) -> User:
        """Somebody he may know of."""
        with heard():
            async with self._database.reading() as connection:
                return await _known(connection, caller, user_id)

    async def change(
        self, caller: Caller, user_id: str, current_password: str | None = None, **values: Any
    ) -> User:
        """Change `name`, `email`, `password`, `environment_id` and, by superusers, the marks.

        Raises Forbidden for what is not the caller's to change, InvalidInput, NewAddressTaken,
        BadPassword, Conflict for the last superuser.
        """
        wanted = _checked(values)
        user = await self._changeable(caller, user_id, wanted)
        if wanted.keys() & set(_PROVEN) and (user_id == caller.user.id or not caller.is_superuser):
            await self._logins.check_former(user, current_password or "")
        if "password" in wanted:
            wanted["password"] = await self._logins.hash(wanted["password"])
        with heard():
            async with self._database.writing() as connection:
                user = await user_by_id(connection, user_id)
                wanted |= await _settled(connection, user, wanted)
                if wanted:
                    mine = update(users).where(users.c.id == user_id)
                    await connection.execute(mine.values(**wanted))
                await _check_superusers(connection, user)
                await _end_what_is_over(connection, caller, user_id, wanted)
                told = {name: value for name, value in wanted.items() if name != "password"}
                await audit.note(connection, caller.by, audit.USER_CHANGED, user_id, **told)
                changed = await user_by_id(connection, user_id)
        await self._sessions.hear()
        return changed

    async def delete(self, caller: Caller, user_id: str) -> None:
        """Delete an account, its sessions and memberships with it.

        Raises Forbidden for somebody else's, Conflict for the last superuser and for the last owner
        of an environment.
        """
        await self._changeable(caller, user_id, {})
        with heard():
            async with self._database.writing() as connection:
                user = await user_by_id(connection, user_id)
                await _check_owns_nothing_alone(connection, user_id)
                await end_sessions(connection, sessions.c.user_id == user_id)
                for table in (members, team_members):
                    await connection.execute(delete(table).where(table.c.user_id == user_id))
                await connection.execute(delete(users).where(users.c.id == user_id))
                await _check_superusers(connection, user)
                details = {"email": user.email}
                await audit.note(connection, caller.by, audit.USER_DELETED, user_id, **details)
        await self._sessions.hear()

    async def _changeable(self, caller: Caller, user_id: str, wanted: Mapping[str, Any]) -> User:
        """Who may be changed so by the caller."""
        user = await self.find(caller, user_id)
        if caller.is_superuser:
            return user
        if user_id != caller.user.id:
            raise Forbidden("only he himself or a superuser may do this")
        for mark in _MARKS:
            if wanted.get(mark, getattr(user, mark)) != getattr(user, mark):
                raise Forbidden(f"only a superuser changes `{mark}`")
        return user


def _visible(caller: Caller) -> ColumnElement[bool]:
    if caller.is_superuser:
        return true()
    mine = select(belonging.c.environment_id).where(belonging.c.user_id == caller.user.id)
    if caller.only:
        mine = mine.where(belonging.c.environment_id == caller.only)
    beside = select(belonging.c.user_id).where(belonging.c.environment_id.in_(mine))
    return or_(users.c.id == caller.user.id, users.c.id.in_(beside))


async def _known(connection: AsyncConnection, caller: Caller, user_id: str) -> User:
    found = await connection.execute(select(users).where(users.c.id == user_id, _visible(caller)))
    row = found.mappings().one_or_none()
    if row is None:
        raise NotFound(f"there is no user {user_id}")
    return user_of(row)


def _checked(values: Mapping[str, Any]) -> dict[str, Any]:
    """As they are stored. Raises InvalidInput."""
    wanted = dict(values)
    if "name" in wanted:
        check_name(wanted["name"])
    if "email" in wanted:
        wanted["email"] = account_of(wanted["email"])
    return wanted


async def _settled(
    connection: AsyncConnection, user: User, wanted: Mapping[str, Any]
) -> dict[str, Any]:
    """What follows from what is wanted: a new address is not verified.

    Raises NewAddressTaken, InvalidInput for an environment that is not the user's.
    """
    if (environment_id := wanted.get("environment_id")) is not None:
        his = select(belonging.c.role).where(
            belonging.c.user_id == user.id, belonging.c.environment_id == environment_id
        )
        if (await connection.execute(his)).first() is None:
            raise InvalidInput(f"there is no environment {environment_id}", "active_env_id")
    if wanted.get("email", user.email) == user.email:
        return {}
    if await user_at(connection, wanted["email"]):
        raise NewAddressTaken
    return {"is_verified": wanted.get("is_verified", False)}


async def _check_superusers(connection: AsyncConnection, former: User) -> None:
    """Raises Conflict when `former`, as he was before the change, was the last one."""
    left = select(users.c.id).where(users.c.is_superuser, users.c.is_active)
    if former.is_superuser and (await connection.execute(left)).first() is None:
        raise Conflict("there would be no superuser left")


async def _end_what_is_over(
    connection: AsyncConnection, caller: Caller, user_id: str, wanted: Mapping[str, Any]
) -> None:
    """A new password ends all sessions but the caller's own; who is not active has none."""
    his = sessions.c.user_id == user_id
    if wanted.get("is_active") is False:
        await end_sessions(connection, his)
    elif "password" in wanted:
        await end_sessions(connection, his, sessions.c.id != caller.session.session_id)
    await heed(connection, [user_id])


async def _check_owns_nothing_alone(connection: AsyncConnection, user_id: str) -> None:
    owners = select(members.c.environment_id).where(members.c.role == OWNER)
    alone = (
        owners.group_by(members.c.environment_id)
        .having(func.count() == 1, func.max(members.c.user_id) == user_id)
        .subquery()
    )
    names = select(environments.c.name).join(alone, alone.c.environment_id == environments.c.id)
    if found := list((await connection.execute(names.order_by(environments.c.name))).scalars()):
        raise Conflict(
            f"the user is the last owner of {', '.join(found[:5])}: delete it, or make another one"
        )
