"""Whose pipelines somebody may see and change, asked in the transaction of the change.

Pipelines and connectors belong to a team. Who is in the team may do everything with them, and so
may the owners of its environment, superusers, and API keys of the environment. For other members
of the environment they are forbidden, for everybody else they are not there.
"""

from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, RowMapping, Table, select, true
from sqlalchemy.ext.asyncio import AsyncConnection

from service.accounts.audit import Actor
from service.accounts.callers import Caller
from service.accounts.memberships import OWNER, team_members, teams
from service.accounts.rights import current, role_in
from service.errors import Forbidden, NotFound


@dataclass(frozen=True, slots=True)
class Reach:
    """Who acts: a user, or a key of one environment."""

    by: Actor
    caller: Caller | None = None
    tenant: str = ""
    """The environment of a key; a user has a caller instead."""


async def environment_of(connection: AsyncConnection, reach: Reach) -> str:
    """The environment that is spoken for. Raises NotFound, NoEnvironment."""
    if reach.caller is None:
        return reach.tenant
    return await current(connection, reach.caller)


async def reached(
    connection: AsyncConnection, reach: Reach, environment_id: str, team_id: ColumnElement[str]
) -> ColumnElement[bool]:
    """Whether something of this environment is reached, by the column of its team."""
    caller = reach.caller
    if caller is None or await role_in(connection, caller, environment_id) == OWNER:
        return true()
    mine = select(team_members.c.team_id).where(team_members.c.user_id == caller.user.id)
    return team_id.in_(mine)


async def row_within(
    connection: AsyncConnection, reach: Reach, table: Table, row_id: str, kind: str
) -> RowMapping:
    """A row that has an environment and a team. Raises NotFound, Forbidden."""
    found = await connection.execute(select(table).where(table.c.id == row_id))
    row = found.mappings().one_or_none()
    if row is None or not await _knows(connection, reach, row["environment_id"]):
        raise NotFound(f"there is no {kind} {row_id[:64]}")
    await _check_team(connection, reach, row, row["team_id"])
    return row


async def team_within(connection: AsyncConnection, reach: Reach, team_id: str) -> RowMapping:
    """A team that pipelines and connectors may be made for. Raises NotFound, Forbidden."""
    found = await connection.execute(select(teams).where(teams.c.id == team_id))
    row = found.mappings().one_or_none()
    if row is None or not await _knows(connection, reach, row["environment_id"]):
        raise NotFound(f"there is no team {team_id[:64]}")
    await _check_team(connection, reach, row, team_id)
    return row


async def _knows(connection: AsyncConnection, reach: Reach, environment_id: str) -> bool:
    if reach.caller is None:
        return environment_id == reach.tenant
    try:
        await role_in(connection, reach.caller, environment_id)
    except NotFound:
        return False
    return True


async def _check_team(connection: AsyncConnection, reach: Reach, row: Any, team_id: str) -> None:
    within = await reached(connection, reach, row["environment_id"], teams.c.id)
    mine = select(teams.c.id).where(teams.c.id == team_id, within)
    if (await connection.execute(mine)).first() is None:
        raise Forbidden("this is for members of the team")
