"""Datamodels: the records of a pipeline's source, which its subscriptions take further."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import delete, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from service.accounts import audit
from service.accounts.credentials import now_ms
from service.accounts.pages import Page, Span, rows_of
from service.database import Database, heard
from service.errors import Conflict, NotFound
from service.pipelines.control.making import Workshop
from service.pipelines.control.pipelines import note, pipeline_within
from service.pipelines.control.reach import Reach, environment_of, reached, team_within
from service.pipelines.control.rows import Datamodel, Pipeline, pipelines_of
from service.pipelines.control.subscriptions import datamodel_row
from service.pipelines.control.tables import datamodels, pipelines
from service.pipelines.control.vault import Vault
from service.pipelines.control.versions import renew


@dataclass(frozen=True, slots=True)
class Modelled:
    """A datamodel, and its pipeline."""

    datamodel: Datamodel
    pipeline: Pipeline


class Datamodels:
    """The datamodels of pipelines that somebody reaches. Raises as `Subscriptions` does."""

    def __init__(self, database: Database, vault: Vault) -> None:
        self._database = database
        self._vault = vault

    async def page(self, reach: Reach, span: Span) -> Page[Modelled]:
        """Those of the environment spoken for, oldest first, of pipelines with this name."""
        with heard():
            async with self._database.reading() as connection:
                environment_id = await environment_of(connection, reach)
                mine = await reached(connection, reach, environment_id, pipelines.c.team_id)
                question = (
                    select(pipelines)
                    .join(datamodels, pipelines.c.id == datamodels.c.pipeline_id)
                    .where(pipelines.c.environment_id == environment_id, mine)
                    .where(pipelines.c.name.icontains(span.search, autoescape=True))
                    .order_by(datamodels.c.created_at, datamodels.c.id)
                )
                rows, total = await rows_of(connection, question, span)
                found = await pipelines_of(connection, rows)
        return Page([Modelled(p.datamodel, p) for p in found if p.datamodel], total, span)

    async def find(self, reach: Reach, datamodel_id: str) -> Modelled:
        """One of them, of whatever environment."""
        with heard():
            async with self._database.reading() as connection:
                return await _within(connection, reach, datamodel_id)

    async def change(self, reach: Reach, datamodel_id: str, columns: Mapping[str, Any]) -> Modelled:
        """Change its error table. Raises InvalidInput."""
        with heard():
            async with self._database.writing() as connection:
                found = await _within(connection, reach, datamodel_id)
                team = await team_within(connection, reach, found.pipeline.team_id)
                shop = Workshop(connection, reach, self._vault, team)
                await shop.check_error_target(columns)
                mine = update(datamodels).where(datamodels.c.id == datamodel_id)
                await connection.execute(mine.values(**columns, updated_at=now_ms()))
                await renew(connection, reach.by, [found.pipeline.id])
                await note(connection, reach, audit.DATAMODEL_CHANGED, found.pipeline)
                return await _within(connection, reach, datamodel_id)

    async def delete(self, reach: Reach, datamodel_id: str) -> None:
        """Delete one. Raises Conflict while it has subscriptions."""
        with heard():
            async with self._database.writing() as connection:
                found = await _within(connection, reach, datamodel_id)
                if found.pipeline.subscriptions:
                    raise Conflict("the datamodel has subscriptions: delete them first")
                mine = delete(datamodels).where(datamodels.c.id == datamodel_id)
                await connection.execute(mine)
                await renew(connection, reach.by, [found.pipeline.id])
                await note(connection, reach, audit.DATAMODEL_DELETED, found.pipeline)


async def _within(connection: AsyncConnection, reach: Reach, datamodel_id: str) -> Modelled:
    row = await datamodel_row(connection, datamodel_id)
    try:
        pipeline = await pipeline_within(connection, reach, row["pipeline_id"])
    except NotFound:
        raise NotFound(f"there is no datamodel {datamodel_id[:64]}") from None
    assert pipeline.datamodel
    return Modelled(pipeline.datamodel, pipeline)
