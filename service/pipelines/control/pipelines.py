"""Pipelines as people make, change and delete them."""

import uuid
from collections.abc import Mapping, Sequence
from typing import Any, get_args

from sqlalchemy import RowMapping, Select, delete, func, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from service.accounts import audit
from service.accounts.credentials import now_ms
from service.accounts.pages import Page, Span, rows_of
from service.database import Database, heard
from service.errors import Conflict, InvalidInput, NotFound
from service.pipelines.control.making import Workshop
from service.pipelines.control.reach import (
    Reach,
    environment_of,
    reached,
    row_within,
    team_within,
)
from service.pipelines.control.rows import Pipeline, pipelines_of
from service.pipelines.control.tables import datamodels, pipelines, subscriptions, versions
from service.pipelines.control.vault import Vault
from service.pipelines.control.versions import Version, keep, kept
from service.pipelines.control.wanted import Wanted, check_pipeline_name
from service.pipelines.model import State

STATES: tuple[str, ...] = get_args(State)
MOST_PIPELINES = 500
"""Of one environment."""


class Pipelines:
    """The pipelines that somebody reaches.

    Everything raises AccountsUnavailable; what names a pipeline raises NotFound for one of an
    environment that he does not belong to, and Forbidden for one of another team.
    """

    def __init__(self, database: Database, vault: Vault) -> None:
        self._database = database
        self._vault = vault

    async def page(
        self, reach: Reach, span: Span, state: str | None = None, team_id: str | None = None
    ) -> Page[Pipeline]:
        """Those of the environment spoken for, oldest first. Raises InvalidInput for no state."""
        if state is not None and state not in STATES:
            raise InvalidInput(f"a state is one of {', '.join(STATES)}", "state")
        with heard():
            async with self._database.reading() as connection:
                question = (await _mine(connection, reach)).where(
                    pipelines.c.name.icontains(span.search, autoescape=True)
                )
                for column, value in (("state", state), ("team_id", team_id)):
                    if value is not None:
                        question = question.where(pipelines.c[column] == value)
                rows, total = await rows_of(connection, question, span)
                return Page(await pipelines_of(connection, rows), total, span)

    async def running(self, reach: Reach) -> Sequence[Pipeline]:
        """All of the environment spoken for that are no drafts, oldest first."""
        with heard():
            async with self._database.reading() as connection:
                question = (await _mine(connection, reach)).where(pipelines.c.state != "draft")
                rows = (await connection.execute(question)).mappings().all()
                return await pipelines_of(connection, rows)

    async def counts(self, reach: Reach) -> Mapping[str, int]:
        """How many of the environment spoken for are in each state."""
        with heard():
            async with self._database.reading() as connection:
                mine = (await _mine(connection, reach)).order_by(None).subquery()
                asked = select(mine.c.state, func.count()).group_by(mine.c.state)
                rows = (await connection.execute(asked)).all()
                found = {row[0]: row[1] for row in rows}
        return {state: found.get(state, 0) for state in STATES}

    async def find(self, reach: Reach, pipeline_id: str) -> Pipeline:
        """One of them, of whatever environment."""
        with heard():
            async with self._database.reading() as connection:
                return await pipeline_within(connection, reach, pipeline_id)

    async def find_named(self, reach: Reach, name: str) -> Pipeline:
        """The oldest of this name in the environment spoken for."""
        with heard():
            async with self._database.reading() as connection:
                question = (await _mine(connection, reach)).where(pipelines.c.name == name)
                rows = (await connection.execute(question.limit(1))).mappings().all()
                if not rows:
                    raise NotFound(f"there is no pipeline {name[:255]}")
                return (await pipelines_of(connection, rows))[0]

    async def versions(self, reach: Reach, pipeline_id: str) -> Sequence[Version]:
        """What it was in each of its versions, the newest first."""
        with heard():
            async with self._database.reading() as connection:
                await pipeline_within(connection, reach, pipeline_id)
                return await kept(connection, pipeline_id)

    async def make(self, reach: Reach, wanted: Wanted) -> Pipeline:
        """Make one, a draft, with its connectors where those are new: all of it, or nothing.

        Where not a word is said of a target it has none yet, and cannot be started.

        Raises InvalidInput, NotFound, Forbidden, Conflict when a name is taken.
        """
        name = check_pipeline_name(wanted.name)
        if not isinstance(wanted.team_id, str):
            raise InvalidInput("Object missing required field `team_id`", "team_id")
        sides = wanted.connector("source"), wanted.connector("target")
        said = wanted.columns("subscription")
        with heard():
            async with self._database.writing() as connection:
                team = await team_within(connection, reach, wanted.team_id)
                await check_room(connection, team, name)
                shop = Workshop(connection, reach, self._vault, team)
                source = await shop.connector(sides[0], "source")
                made = await make_row(connection, team, name, source)
                model = await shop.new_datamodel(made, wanted.columns("datamodel"))
                if sides[1] or said:
                    target = await shop.connector(sides[1], "target")
                    await shop.new_subscription(made, model, target, said, "subscription_")
                pipeline = await pipeline_within(connection, reach, made)
                await keep(connection, reach.by, pipeline)
                await note(connection, reach, audit.PIPELINE_MADE, pipeline)
                return pipeline

    async def change(self, reach: Reach, pipeline_id: str, wanted: Wanted) -> Pipeline:
        """Change what is said, and leave the rest; a change that works on makes another version.

        Raises InvalidInput, NotFound, Forbidden, Conflict when a name is taken.
        """
        sides = wanted.connector("source"), wanted.connector("target")
        with heard():
            async with self._database.writing() as connection:
                pipeline = await pipeline_within(connection, reach, pipeline_id)
                team = await _team(connection, reach, pipeline, wanted)
                shop = Workshop(connection, reach, self._vault, team)
                is_renamed = await rename(connection, pipeline, wanted.name)
                changes = [
                    await shop.change_source(pipeline, wanted),
                    await shop.change_datamodel(pipeline, wanted),
                    await shop.change_subscription(pipeline, wanted),
                ]
                if any(changes):
                    shop.changed.add(pipeline_id)
                await shop.settle()
                if any(changes) or is_renamed or any(sides):
                    await note(connection, reach, audit.PIPELINE_CHANGED, pipeline)
                return await pipeline_within(connection, reach, pipeline_id)

    async def delete(self, reach: Reach, pipeline_id: str) -> Pipeline:
        """Delete one, with its datamodel and subscriptions; connectors stay. A live one ends.

        Gives what it was.
        """
        with heard():
            async with self._database.writing() as connection:
                pipeline = await pipeline_within(connection, reach, pipeline_id)
                for table in (subscriptions, datamodels, versions):
                    of_it = table.c.pipeline_id == pipeline_id
                    await connection.execute(delete(table).where(of_it))
                await connection.execute(delete(pipelines).where(pipelines.c.id == pipeline_id))
                await note(connection, reach, audit.PIPELINE_DELETED, pipeline)
                return pipeline


async def pipeline_within(connection: AsyncConnection, reach: Reach, pipeline_id: str) -> Pipeline:
    """A pipeline that is reached. Raises NotFound, Forbidden."""
    row = await row_within(connection, reach, pipelines, pipeline_id, "pipeline")
    return (await pipelines_of(connection, [row]))[0]


async def note(
    connection: AsyncConnection, reach: Reach, action: str, pipeline: Pipeline, **more: Any
) -> None:
    """Note in the audit log what is done to a pipeline."""
    here = (pipeline.id, pipeline.environment_id)
    told = {"name": pipeline.name, "team": pipeline.team_id, **more}
    await audit.note(connection, reach.by, action, *here, **told)


async def rename(connection: AsyncConnection, pipeline: Pipeline, wanted: object) -> bool:
    """Whether it has another name now; what is no text is no wish.

    Raises InvalidInput, Conflict.
    """
    if not isinstance(wanted, str) or wanted == pipeline.name:
        return False
    name = check_pipeline_name(wanted)
    await _check_free(connection, pipeline.team_id, name)
    mine = update(pipelines).where(pipelines.c.id == pipeline.id)
    await connection.execute(mine.values(name=name, updated_at=now_ms()))
    return True


async def _mine(connection: AsyncConnection, reach: Reach) -> Select[Any]:
    """All that are reached in the environment spoken for, oldest first."""
    environment_id = await environment_of(connection, reach)
    mine = await reached(connection, reach, environment_id, pipelines.c.team_id)
    return (
        select(pipelines)
        .where(pipelines.c.environment_id == environment_id, mine)
        .order_by(pipelines.c.created_at, pipelines.c.id)
    )


async def make_row(
    connection: AsyncConnection,
    team: RowMapping,
    name: str,
    source: tuple[str, bool],
    pipeline_id: str = "",
) -> str:
    """A draft with nothing but its source; its id. One with an id of its own is yet to be filled
    from a document, which makes its first version."""
    now, made = now_ms(), pipeline_id or str(uuid.uuid4())
    await connection.execute(
        insert(pipelines).values(
            id=made,
            environment_id=team["environment_id"],
            team_id=team["id"],
            name=name,
            state="draft",
            reason="",
            version=0 if pipeline_id else 1,
            source_id=source[0],
            source_named=source[1],
            created_at=now,
            updated_at=now,
            state_at=now,
        )
    )
    return made


async def _team(
    connection: AsyncConnection, reach: Reach, pipeline: Pipeline, wanted: Wanted
) -> RowMapping:
    if isinstance(wanted.team_id, str) and wanted.team_id != pipeline.team_id:
        raise InvalidInput("a pipeline stays in its team", "team_id")
    return await team_within(connection, reach, pipeline.team_id)


async def check_room(connection: AsyncConnection, team: RowMapping, name: str) -> None:
    """Raises Conflict where there is no room for a pipeline of this name."""
    await _check_free(connection, team["id"], name)
    here = pipelines.c.environment_id == team["environment_id"]
    there = await connection.execute(select(func.count()).select_from(pipelines).where(here))
    if there.scalar_one() >= MOST_PIPELINES:
        raise Conflict(f"an environment has at most {MOST_PIPELINES} pipelines: delete one first")


async def _check_free(connection: AsyncConnection, team_id: str, name: str) -> None:
    same = select(pipelines.c.id).where(pipelines.c.team_id == team_id, pipelines.c.name == name)
    if (await connection.execute(same)).first() is not None:
        raise Conflict(f"the team has a pipeline called {name}")
