"""Environments as their owners make, change and delete them; and who belongs to them."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import delete, func, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from service.accounts import audit
from service.accounts.callers import Caller
from service.accounts.credentials import live_in
from service.accounts.environments import (
    DEFAULT_ENVIRONMENT,
    Environment,
    bury,
    change,
    environment_by_id,
    environment_of,
    environments,
    new_environment,
)
from service.accounts.erasures import erasures
from service.accounts.key_rows import api_keys
from service.accounts.memberships import (
    OWNER,
    belonging,
    invitations,
    members,
    team_members,
    teams,
)
from service.accounts.names import check_description, check_name
from service.accounts.pages import Page, Span, rows_of
from service.accounts.rights import known, owned, visible
from service.accounts.saved import saved_questions
from service.accounts.sessions import Sessions, end_sessions, heed, heed_environment, sessions
from service.accounts.signing_tokens import signing_tokens
from service.accounts.users import User, join, user_of, users
from service.database import Database, heard
from service.errors import Conflict, InvalidInput, NotFound

MOST_OWNED = 100
"""Environments that one user owns: every process keeps them in memory with each of his sessions."""
LONGEST_RETENTION = 36_500
"""Days."""


@dataclass(frozen=True, slots=True)
class Member:
    """Who belongs to an environment or a team, and as what."""

    user: User
    role: str


class Tenancy:
    """The environments of a caller. `holds_events` tells whether an environment has any stored.

    Everything raises AccountsUnavailable; what names an environment raises NotFound for one that
    the caller may not know of, and changes raise Forbidden for one that he does not own.
    """

    def __init__(
        self,
        database: Database,
        sessions: Sessions,
        holds_events: Callable[[str], Awaitable[bool]],
    ) -> None:
        self._database = database
        self._sessions = sessions
        self._holds_events = holds_events

    async def page(self, caller: Caller, span: Span) -> Page[Environment]:
        """Those that he belongs to, oldest first; a superuser's page has all."""
        question = (
            select(environments)
            .where(environments.c.deleted_at.is_(None), visible(caller, environments.c.id))
            .where(environments.c.name.icontains(span.search, autoescape=True))
            .order_by(environments.c.created_at, environments.c.id)
        )
        with heard():
            async with self._database.reading() as connection:
                rows, total = await rows_of(connection, question, span)
        return Page([environment_of(row) for row in rows], total, span)

    async def find(self, caller: Caller, environment_id: str) -> Environment:
        """One that he may know of."""
        with heard():
            async with self._database.reading() as connection:
                return await known(connection, caller, environment_id)

    async def find_named(self, caller: Caller, name: str) -> Environment:
        """The one of this name, if he may know of it."""
        named = select(environments).where(environments.c.name == name)
        with heard():
            async with self._database.reading() as connection:
                rows = await connection.execute(
                    named.where(
                        environments.c.deleted_at.is_(None), visible(caller, environments.c.id)
                    )
                )
        row = rows.mappings().one_or_none()
        if row is None:
            raise NotFound(f"there is no environment {name}")
        return environment_of(row)

    async def make(self, caller: Caller, name: str, **values: Any) -> Environment:
        """Make one that he owns and works in from now on; `values` as for `change`.

        Raises InvalidInput, and Conflict when the name is taken or he owns too many.
        """
        wanted = _checked({"name": name, **values})
        user_id = caller.user.id
        with heard():
            async with self._database.writing() as connection:
                await _check_room(connection, user_id)
                await _check_free(connection, name)
                environment_id = await new_environment(connection, name)
                await change(connection, environment_id, **wanted)
                await join(connection, environment_id, user_id, OWNER)
                await _work_in(connection, user_id, environment_id)
                here = (environment_id, environment_id)
                await audit.note(connection, caller.by, audit.ENVIRONMENT_MADE, *here, **wanted)
                made = await environment_by_id(connection, environment_id)
        await self._sessions.hear()
        return made

    async def change(self, caller: Caller, environment_id: str, **values: Any) -> Environment:
        """Change `name`, `description`, `use_retention`, `retention_days`, `public_metrics`.

        Raises InvalidInput, Conflict when the name is taken.
        """
        wanted = _checked(values)
        with heard():
            async with self._database.writing() as connection:
                former = await owned(connection, caller, environment_id)
                _check_default(former, wanted)
                if wanted.get("name", former.name) != former.name:
                    await _check_free(connection, wanted["name"])
                await change(connection, environment_id, **wanted)
                here = (environment_id, environment_id)
                await audit.note(connection, caller.by, audit.ENVIRONMENT_CHANGED, *here, **wanted)
                return await environment_by_id(connection, environment_id)

    async def delete(self, caller: Caller, environment_id: str) -> None:
        """Delete one that is empty. Its name is free again, its id is never used again.

        Raises Conflict for the default one, and for one with live keys, teams or events.
        """
        with heard():
            async with self._database.reading() as connection:
                await owned(connection, caller, environment_id)
            if await self._holds_events(environment_id):
                raise Conflict("the environment has events: have its retention delete them first")
            async with self._database.writing() as connection:
                await owned(connection, caller, environment_id)
                await _check_empty(connection, environment_id)
                await _erase(connection, environment_id)
                here = (environment_id, environment_id)
                await audit.note(connection, caller.by, audit.ENVIRONMENT_DELETED, *here)
        await self._sessions.hear()

    async def members(self, caller: Caller, environment_id: str) -> Sequence[Member]:
        """Who belongs to it, on his own account or through a team; oldest account first."""
        theirs = (
            select(users, belonging.c.role)
            .join(belonging, belonging.c.user_id == users.c.id)
            .where(belonging.c.environment_id == environment_id)
            .order_by(users.c.created_at, users.c.id)
        )
        with heard():
            async with self._database.reading() as connection:
                await known(connection, caller, environment_id)
                rows = (await connection.execute(theirs)).mappings().all()
        return [Member(user_of(row), row["role"]) for row in rows]

    async def remove_member(self, caller: Caller, environment_id: str, user_id: str) -> None:
        """Take a user out of an environment and of all its teams. Anybody may leave.

        Raises NotFound for who is no member, Conflict for the last owner.
        """
        with heard():
            async with self._database.writing() as connection:
                may = known if user_id == caller.user.id else owned
                await may(connection, caller, environment_id)
                await _check_not_last(connection, environment_id, user_id)
                await _take_out(connection, environment_id, user_id)
                action = audit.ENVIRONMENT_MEMBER_REMOVED
                await audit.note(connection, caller.by, action, user_id, environment_id)
        await self._sessions.hear()


async def release(connection: AsyncConnection, environment_id: str, *user_ids: str) -> None:
    """Have those of these users who no longer belong to an environment work nowhere, not there."""
    still = select(belonging.c.user_id).where(belonging.c.environment_id == environment_id)
    await connection.execute(
        update(users)
        .where(users.c.id.in_(user_ids), users.c.environment_id == environment_id)
        .where(users.c.id.not_in(still))
        .values(environment_id=None)
    )
    await heed(connection, user_ids)


async def _take_out(connection: AsyncConnection, environment_id: str, user_id: str) -> None:
    """Raises NotFound for who is no member."""
    theirs = select(teams.c.id).where(teams.c.environment_id == environment_id)
    own = delete(members).where(
        members.c.environment_id == environment_id, members.c.user_id == user_id
    )
    through_teams = delete(team_members).where(
        team_members.c.team_id.in_(theirs), team_members.c.user_id == user_id
    )
    gone = [(await connection.execute(statement)).rowcount for statement in (own, through_teams)]
    if not any(gone):
        raise NotFound(f"there is no member {user_id}")
    await release(connection, environment_id, user_id)


async def _check_empty(connection: AsyncConnection, environment_id: str) -> None:
    if environment_id == DEFAULT_ENVIRONMENT:
        raise Conflict("the default environment cannot be deleted")
    if await live_in(connection, api_keys, environment_id):
        raise Conflict("the environment has live API keys: revoke them first")
    if await live_in(connection, signing_tokens, environment_id):
        raise Conflict("the environment has live signing tokens: revoke them first")
    theirs = select(func.count()).where(teams.c.environment_id == environment_id)
    if (await connection.execute(theirs)).scalar_one():
        raise Conflict("the environment has teams: delete them first")


async def _erase(connection: AsyncConnection, environment_id: str) -> None:
    """Everything that is left of an empty environment but its row."""
    await heed_environment(connection, environment_id)
    await end_sessions(connection, sessions.c.environment_id == environment_id)
    for table in (erasures, invitations, members, saved_questions):
        await connection.execute(delete(table).where(table.c.environment_id == environment_id))
    await connection.execute(
        update(users).where(users.c.environment_id == environment_id).values(environment_id=None)
    )
    await bury(connection, environment_id)


async def _work_in(connection: AsyncConnection, user_id: str, environment_id: str) -> None:
    mine = update(users).where(users.c.id == user_id)
    await connection.execute(mine.values(environment_id=environment_id))
    await heed(connection, [user_id])


async def _check_room(connection: AsyncConnection, user_id: str) -> None:
    mine = select(func.count()).where(members.c.user_id == user_id, members.c.role == OWNER)
    if (await connection.execute(mine)).scalar_one() >= MOST_OWNED:
        raise Conflict(f"a user owns at most {MOST_OWNED} environments: delete one first")


async def _check_free(connection: AsyncConnection, name: str) -> None:
    same = select(environments.c.id).where(environments.c.name == name)
    if (await connection.execute(same)).first() is not None:
        raise Conflict("there is an environment of this name")


async def _check_not_last(connection: AsyncConnection, environment_id: str, user_id: str) -> None:
    owners = select(members.c.user_id).where(
        members.c.environment_id == environment_id, members.c.role == OWNER
    )
    if list((await connection.execute(owners)).scalars()) == [user_id]:
        raise Conflict("this is the last owner of the environment: make another one first")


def _check_default(former: Environment, wanted: Mapping[str, Any]) -> None:
    public = wanted.get("public_metrics", former.public_metrics)
    if former.id == DEFAULT_ENVIRONMENT and public != former.public_metrics:
        raise Conflict("HEADRACE_PUBLIC_METRICS says who sees the default environment's metrics")


def _checked(values: Mapping[str, Any]) -> dict[str, Any]:
    """What may be stored. Raises InvalidInput."""
    if "name" in values:
        check_name(values["name"])
    check_description(values.get("description", ""))
    days = values.get("retention_days")
    if days is not None and not 1 <= days <= LONGEST_RETENTION:
        raise InvalidInput(
            f"`days` is a whole number from 1 to {LONGEST_RETENTION}", "retention_configuration"
        )
    return dict(values)
