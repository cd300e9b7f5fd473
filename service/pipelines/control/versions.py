"""Versions of pipelines: each change that the workers must hear of makes another one."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from sqlalchemy import delete, insert, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from service.accounts.audit import Actor
from service.accounts.credentials import now_ms
from service.pipelines.control.rows import Connector, Pipeline, pipelines_of
from service.pipelines.control.tables import datamodels, pipelines, subscriptions, versions

MOST_KEPT = 100
"""Versions of one pipeline; the oldest go first."""


@dataclass(frozen=True, slots=True)
class Version:
    """What a pipeline was; `created_at` in ms since 1970 UTC."""

    version: int
    configuration: Mapping[str, Any]
    made_by: str
    created_at: int


async def users_of(connection: AsyncConnection, connector_id: str) -> Mapping[str, str]:
    """The names of the pipelines that use a connector, by id."""
    through = select(subscriptions.c.pipeline_id).where(
        or_(
            subscriptions.c.target_id == connector_id,
            subscriptions.c.error_table_target_id == connector_id,
        )
    )
    failing = select(datamodels.c.pipeline_id).where(
        datamodels.c.error_table_target_id == connector_id
    )
    asked = select(pipelines.c.id, pipelines.c.name).where(
        or_(
            pipelines.c.source_id == connector_id,
            pipelines.c.id.in_(through),
            pipelines.c.id.in_(failing),
        )
    )
    return {row.id: row.name for row in await connection.execute(asked)}


async def renew(connection: AsyncConnection, by: Actor, ids: Collection[str]) -> None:
    """Give these pipelines another version, and keep what it says."""
    now, theirs = now_ms(), pipelines.c.id.in_(list(ids))
    another = {"version": pipelines.c.version + 1, "updated_at": now}
    await connection.execute(update(pipelines).where(theirs).values(**another))
    rows = (await connection.execute(select(pipelines).where(theirs))).mappings().all()
    for pipeline in await pipelines_of(connection, rows):
        await keep(connection, by, pipeline)


async def keep(connection: AsyncConnection, by: Actor, pipeline: Pipeline) -> None:
    """Keep what a pipeline is in its version now."""
    await connection.execute(
        insert(versions).values(
            pipeline_id=pipeline.id,
            version=pipeline.version,
            configuration=configuration_of(pipeline),
            made_by=by.name[:254],
            created_at=pipeline.updated_at,
        )
    )
    old = versions.c.version <= pipeline.version - MOST_KEPT
    await connection.execute(delete(versions).where(versions.c.pipeline_id == pipeline.id, old))


async def kept(connection: AsyncConnection, pipeline_id: str) -> Sequence[Version]:
    """The versions of a pipeline that are kept, the newest first."""
    asked = (
        select(versions)
        .where(versions.c.pipeline_id == pipeline_id)
        .order_by(versions.c.version.desc())
    )
    rows = (await connection.execute(asked)).mappings().all()
    return [Version(**{field: row[field] for field in Version.__slots__}) for row in rows]


def configuration_of(pipeline: Pipeline) -> dict[str, Any]:
    """All that somebody has said of a pipeline, with masks for secrets."""
    return {
        "name": pipeline.name,
        "source": _connector(pipeline.source),
        "datamodel": asdict(pipeline.datamodel) if pipeline.datamodel else None,
        "subscriptions": [
            {**asdict(one), "target": _connector(pipeline.connectors[one.target_id])}
            for one in pipeline.subscriptions
        ],
    }


def _connector(connector: Connector) -> dict[str, Any]:
    told = ("id", "name", "type")
    return {**{f: getattr(connector, f) for f in told}, "settings": dict(connector.settings)}
