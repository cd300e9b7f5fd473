"""Sources as places that are synchronised: what runs of them, and since when."""

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import delete, insert, select
from sqlalchemy.ext.asyncio import AsyncConnection

from service.accounts.credentials import now_ms
from service.accounts.memberships import teams
from service.database import Database, heard
from service.errors import Conflict, InvalidInput, NotFound
from service.pipelines.control.connectors import connector_row
from service.pipelines.control.pipelines import pipeline_within
from service.pipelines.control.reach import Reach, environment_of, reached
from service.pipelines.control.states import start
from service.pipelines.control.tables import pipelines, source_runs

USUAL_TEAM = "default"
"""What is made by who names no team belongs to the team of this name."""
_WORST_FIRST = ("error", "live", "building", "paused", "draft")
_RUNS_KEPT = 100


@dataclass(frozen=True, slots=True)
class Run:
    """A synchronisation that somebody asked for; `started_at` in ms since 1970 UTC."""

    id: str
    source_id: str
    started_by: str
    started_at: int


class Sources:
    """Synchronisation of the sources that somebody reaches. Raises as `Connectors` does."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def states(self, source_ids: Sequence[str]) -> Mapping[str, str]:
        """For each of these sources the state of its pipelines that most wants to be known."""
        asked = select(pipelines.c.source_id, pipelines.c.state).where(
            pipelines.c.source_id.in_(source_ids)
        )
        with heard():
            async with self._database.reading() as connection:
                rows = (await connection.execute(asked)).all()
        found = {row.source_id: set[str]() for row in rows}
        for row in rows:
            found[row.source_id].add(row.state)
        return {one: min(states, key=_WORST_FIRST.index) for one, states in found.items()}

    async def sync(self, reach: Reach, source_id: str) -> Run:
        """Have every pipeline of the source run. Raises Conflict when it has none."""
        with heard():
            async with self._database.writing() as connection:
                await _source(connection, reach, source_id)
                fed = await _fed(connection, source_id)
                if not fed:
                    raise Conflict("no pipeline takes anything from this source: make one first")
                for pipeline_id in fed:
                    await start(
                        connection, reach, await pipeline_within(connection, reach, pipeline_id)
                    )
                run = Run(str(uuid.uuid4()), source_id, reach.by.name[:254], now_ms())
                values = {field: getattr(run, field) for field in Run.__slots__}
                await connection.execute(insert(source_runs).values(**values))
                await _forget_old(connection, source_id)
                return run

    async def last_run(self, reach: Reach, source_id: str) -> tuple[Sequence[str], Run | None]:
        """The pipelines of a source, and what was asked for last."""
        asked = (
            select(source_runs)
            .where(source_runs.c.source_id == source_id)
            .order_by(source_runs.c.started_at.desc())
            .limit(1)
        )
        with heard():
            async with self._database.reading() as connection:
                await _source(connection, reach, source_id)
                row = (await connection.execute(asked)).mappings().one_or_none()
                fed = await _fed(connection, source_id)
        return fed, Run(**{field: row[field] for field in Run.__slots__}) if row else None

    async def usual_team(self, reach: Reach) -> str:
        """The team for what is made without naming one: the only one, or the one called default.

        It is made where the environment has none at all. Raises InvalidInput among several.
        """
        with heard():
            async with self._database.writing() as connection:
                environment_id = await environment_of(connection, reach)
                mine = await reached(connection, reach, environment_id, teams.c.id)
                asked = select(teams.c.id, teams.c.name).where(
                    teams.c.environment_id == environment_id, mine
                )
                known = {row.name: row.id for row in await connection.execute(asked)}
                if len(known) == 1 or USUAL_TEAM in known:
                    return str(known.get(USUAL_TEAM) or next(iter(known.values())))
                if known or reach.caller is not None:
                    raise InvalidInput("say for which team: `team_id`", "team_id")
                return await _new_team(connection, environment_id)


async def _source(connection: AsyncConnection, reach: Reach, source_id: str) -> None:
    row = await connector_row(connection, reach, source_id)
    if row["direction"] != "source":
        raise NotFound(f"there is no source {source_id[:64]}")


async def _fed(connection: AsyncConnection, source_id: str) -> Sequence[str]:
    asked = select(pipelines.c.id).where(pipelines.c.source_id == source_id)
    return list((await connection.execute(asked.order_by(pipelines.c.created_at))).scalars())


async def _forget_old(connection: AsyncConnection, source_id: str) -> None:
    mine = source_runs.c.source_id == source_id
    newest = (
        select(source_runs.c.id)
        .where(mine)
        .order_by(source_runs.c.started_at.desc())
        .limit(_RUNS_KEPT)
    )
    await connection.execute(delete(source_runs).where(mine, source_runs.c.id.not_in(newest)))


async def _new_team(connection: AsyncConnection, environment_id: str) -> str:
    """A team without members: the owners of the environment own it."""
    made = {"id": str(uuid.uuid4()), "environment_id": environment_id, "name": USUAL_TEAM}
    row = {**made, "description": "Made for pipelines of API keys", "created_at": now_ms()}
    await connection.execute(insert(teams).values(**row))
    return made["id"]
