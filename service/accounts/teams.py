"""Teams of an environment, and who is in them.

The owners of an environment own all its teams; a team may have owners of its own, at least one.
"""

import time
import uuid
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import RowMapping, delete, insert, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from service.accounts import audit
from service.accounts.callers import Caller
from service.accounts.memberships import MEMBER, OWNER, ROLES, invitations, team_members, teams
from service.accounts.names import check_description, check_name
from service.accounts.pages import Page, Span, rows_of
from service.accounts.rights import current, owned, role_in
from service.accounts.sessions import Sessions, heed
from service.accounts.tenancy import Member, release
from service.accounts.users import user_of, users
from service.database import Database, heard
from service.errors import Conflict, Forbidden, InvalidInput, NoEnvironment, NotFound

MOST_AT_ONCE = 500
"""Users added by one call."""


@dataclass(frozen=True, slots=True)
class Team:
    """A team. `created_at` in ms since 1970 UTC."""

    id: str
    environment_id: str
    name: str
    description: str
    created_at: int


class Teams:
    """The teams of a caller.

    Everything raises AccountsUnavailable; what names a team raises NotFound for one of an
    environment that he does not belong to, and changes raise Forbidden unless he owns it.
    """

    def __init__(self, database: Database, sessions: Sessions) -> None:
        self._database = database
        self._sessions = sessions

    async def page(self, caller: Caller, span: Span) -> Page[Team]:
        """Those of the environment that he speaks for, oldest first."""
        with heard():
            async with self._database.reading() as connection:
                try:
                    environment_id = await current(connection, caller)
                except NoEnvironment:
                    return Page([], 0, span)
                question = (
                    select(teams)
                    .where(teams.c.environment_id == environment_id)
                    .where(teams.c.name.icontains(span.search, autoescape=True))
                    .order_by(teams.c.created_at, teams.c.id)
                )
                rows, total = await rows_of(connection, question, span)
        return Page([_team(row) for row in rows], total, span)

    async def find(self, caller: Caller, team_id: str) -> Team:
        """One of an environment that he belongs to."""
        with heard():
            async with self._database.reading() as connection:
                return await known_team(connection, caller, team_id)

    async def find_named(self, caller: Caller, name: str) -> Team:
        """The one of this name in the environment that he speaks for; raises NoEnvironment."""
        with heard():
            async with self._database.reading() as connection:
                environment_id = await current(connection, caller)
                row = await _row_named(connection, environment_id, name)
        if row is None:
            raise NotFound(f"there is no team {name}")
        return _team(row)

    async def make(self, caller: Caller, name: str, description: str = "") -> Team:
        """Make one in the environment that he speaks for, which he must own; he owns the team.

        Raises InvalidInput, NoEnvironment, Conflict when the name is taken.
        """
        check_name(name)
        check_description(description)
        with heard():
            async with self._database.writing() as connection:
                environment_id = await current(connection, caller)
                await owned(connection, caller, environment_id)
                await _check_free(connection, environment_id, name)
                made = Team(str(uuid.uuid4()), environment_id, name, description, _now())
                values = {field: getattr(made, field) for field in Team.__slots__}
                await connection.execute(insert(teams).values(**values))
                await admit(connection, made.id, caller.user.id, OWNER)
                here = (made.id, environment_id)
                await audit.note(connection, caller.by, audit.TEAM_MADE, *here, name=name)
                await heed(connection, [caller.user.id])
        await self._sessions.hear()
        return made

    async def change(self, caller: Caller, team_id: str, **values: Any) -> Team:
        """Change `name` and `description`. Raises InvalidInput, Conflict."""
        if "name" in values:
            check_name(values["name"])
        check_description(values.get("description", ""))
        with heard():
            async with self._database.writing() as connection:
                team = await owned_team(connection, caller, team_id)
                if values.get("name", team.name) != team.name:
                    await _check_free(connection, team.environment_id, values["name"])
                if values:
                    mine = update(teams).where(teams.c.id == team_id)
                    await connection.execute(mine.values(**values))
                here = (team_id, team.environment_id)
                await audit.note(connection, caller.by, audit.TEAM_CHANGED, *here, **values)
                return await known_team(connection, caller, team_id)

    async def delete(self, caller: Caller, team_id: str) -> None:
        """Delete one; who belongs to the environment through it alone belongs to it no more.

        Raises Conflict while something is the team's.
        """
        with heard():
            async with self._database.writing() as connection:
                team = await owned_team(connection, caller, team_id)
                theirs = await _ids(connection, team_id)
                for table in (invitations, team_members):
                    await connection.execute(delete(table).where(table.c.team_id == team_id))
                await _delete(connection, team_id)
                await release(connection, team.environment_id, *theirs)
                here = (team_id, team.environment_id)
                await audit.note(connection, caller.by, audit.TEAM_DELETED, *here, name=team.name)
        await self._sessions.hear()

    async def members(self, caller: Caller, team_id: str) -> Sequence[Member]:
        """Who is in it, owners first; for who is in it too, and for owners of the environment.

        Raises Forbidden for other members of the environment.
        """
        theirs = (
            select(users, team_members.c.role)
            .join(team_members, team_members.c.user_id == users.c.id)
            .where(team_members.c.team_id == team_id)
            .order_by(team_members.c.role.desc(), users.c.created_at, users.c.id)
        )
        with heard():
            async with self._database.reading() as connection:
                team = await known_team(connection, caller, team_id)
                if await _role(connection, caller, team) is None:
                    raise Forbidden("this is for members of the team")
                rows = (await connection.execute(theirs)).mappings().all()
        return [Member(user_of(row), row["role"]) for row in rows]

    async def add(
        self, caller: Caller, team_id: str, user_ids: Collection[str], role: str = MEMBER
    ) -> None:
        """Add all of these users, or none; who is in the team already stays as he is.

        Raises InvalidInput when there is no such user or role.
        """
        check_role(role)
        if len(user_ids) > MOST_AT_ONCE:
            raise InvalidInput(f"at most {MOST_AT_ONCE} users at once", "members")
        with heard():
            async with self._database.writing() as connection:
                team = await owned_team(connection, caller, team_id)
                new = set(user_ids) - await _ids(connection, team_id)
                await _check_there(connection, new)
                for user_id in sorted(new):
                    await admit(connection, team_id, user_id, role)
                    await _note(connection, caller, audit.TEAM_MEMBER_ADDED, team, user_id, role)
                await welcome(connection, team.environment_id, new)
        await self._sessions.hear()

    async def change_member(self, caller: Caller, team_id: str, user_id: str, role: str) -> None:
        """Give somebody in the team another role.

        Raises InvalidInput, NotFound for who is not in it, Conflict for the last owner.
        """
        check_role(role)
        with heard():
            async with self._database.writing() as connection:
                team = await owned_team(connection, caller, team_id)
                if role != OWNER:
                    await _check_not_last(connection, team_id, user_id)
                his = (team_members.c.team_id == team_id, team_members.c.user_id == user_id)
                changed = await connection.execute(
                    update(team_members).where(*his).values(role=role)
                )
                _check_found(changed.rowcount, user_id)
                await _note(connection, caller, audit.TEAM_MEMBER_CHANGED, team, user_id, role)

    async def remove(self, caller: Caller, team_id: str, user_id: str) -> None:
        """Take somebody out. Anybody may leave.

        Raises NotFound for who is not in it, Conflict for the last owner.
        """
        with heard():
            async with self._database.writing() as connection:
                may = known_team if user_id == caller.user.id else owned_team
                team = await may(connection, caller, team_id)
                await _check_not_last(connection, team_id, user_id)
                his = (team_members.c.team_id == team_id, team_members.c.user_id == user_id)
                gone = await connection.execute(delete(team_members).where(*his))
                _check_found(gone.rowcount, user_id)
                await release(connection, team.environment_id, user_id)
                await _note(connection, caller, audit.TEAM_MEMBER_REMOVED, team, user_id)
        await self._sessions.hear()


async def known_team(connection: AsyncConnection, caller: Caller, team_id: str) -> Team:
    """A team of an environment that the caller belongs to; raises NotFound for any other."""
    found = await connection.execute(select(teams).where(teams.c.id == team_id))
    row = found.mappings().one_or_none()
    try:
        if row is not None:
            await role_in(connection, caller, row["environment_id"])
            return _team(row)
    except NotFound:
        pass
    raise NotFound(f"there is no team {team_id}")


async def owned_team(connection: AsyncConnection, caller: Caller, team_id: str) -> Team:
    """A team that the caller may change; raises NotFound, and Forbidden for who does not own it."""
    team = await known_team(connection, caller, team_id)
    if await _role(connection, caller, team) != OWNER:
        raise Forbidden("only an owner of the team may do this")
    return team


async def admit(connection: AsyncConnection, team_id: str, user_id: str, role: str) -> None:
    """Put a user, who is not in it, into a team."""
    row = {"team_id": team_id, "user_id": user_id, "role": role}
    await connection.execute(insert(team_members).values(**row))


async def welcome(
    connection: AsyncConnection, environment_id: str, user_ids: Collection[str]
) -> None:
    """Have those who have come to an environment, and work nowhere yet, work there."""
    theirs = users.c.id.in_(user_ids)
    await connection.execute(
        update(users)
        .where(theirs, users.c.environment_id.is_(None))
        .values(environment_id=environment_id)
    )
    await heed(connection, user_ids)


def check_role(role: str) -> None:
    """Raises InvalidInput for what is no role."""
    if role not in ROLES:
        raise InvalidInput(f"a role is one of {', '.join(ROLES)}", "role")


async def _role(connection: AsyncConnection, caller: Caller, team: Team) -> str | None:
    """The caller's role in a team of his environment, which he may have by owning that."""
    if await role_in(connection, caller, team.environment_id) == OWNER:
        return OWNER
    his = select(team_members.c.role).where(
        team_members.c.team_id == team.id, team_members.c.user_id == caller.user.id
    )
    return (await connection.execute(his)).scalar_one_or_none()


async def _row_named(
    connection: AsyncConnection, environment_id: str, name: str
) -> RowMapping | None:
    same = select(teams).where(teams.c.environment_id == environment_id, teams.c.name == name)
    return (await connection.execute(same)).mappings().one_or_none()


async def _check_free(connection: AsyncConnection, environment_id: str, name: str) -> None:
    if await _row_named(connection, environment_id, name) is not None:
        raise Conflict("the environment has a team of this name")


async def _delete(connection: AsyncConnection, team_id: str) -> None:
    try:
        await connection.execute(delete(teams).where(teams.c.id == team_id))
    except IntegrityError:
        raise Conflict("the team has pipelines or connectors: delete them first") from None


async def _ids(connection: AsyncConnection, team_id: str) -> set[str]:
    theirs = select(team_members.c.user_id).where(team_members.c.team_id == team_id)
    return set((await connection.execute(theirs)).scalars())


async def _check_there(connection: AsyncConnection, user_ids: Collection[str]) -> None:
    there = await connection.execute(select(users.c.id).where(users.c.id.in_(user_ids)))
    if missing := set(user_ids) - set(there.scalars()):
        raise InvalidInput(f"there is no user {min(missing)}", "members")


async def _check_not_last(connection: AsyncConnection, team_id: str, user_id: str) -> None:
    owners = select(team_members.c.user_id).where(
        team_members.c.team_id == team_id, team_members.c.role == OWNER
    )
    if list((await connection.execute(owners)).scalars()) == [user_id]:
        raise Conflict("this is the last owner of the team: make another one first")


def _check_found(rows: int, user_id: str) -> None:
    if not rows:
        raise NotFound(f"there is no member {user_id}")


async def _note(
    connection: AsyncConnection,
    caller: Caller,
    action: str,
    team: Team,
    user_id: str,
    role: str | None = None,
) -> None:
    here = (user_id, team.environment_id)
    await audit.note(connection, caller.by, action, *here, team=team.id, role=role)


def _team(row: RowMapping) -> Team:
    return Team(**{field: row[teams.c[field]] for field in Team.__slots__})


def _now() -> int:
    return time.time_ns() // 1_000_000
