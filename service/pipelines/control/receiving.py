"""Which source a pipeline has, for whoever sends it records."""

from typing import NamedTuple

from sqlalchemy import select

from service.database import Database, heard
from service.pipelines.control.tables import connectors, pipelines


class SourceWithin(NamedTuple):
    """The state of a pipeline and the type of its source."""

    state: str
    type: str


async def source_within(
    database: Database, environment_id: str, pipeline_id: str
) -> SourceWithin | None:
    """Of a pipeline of this environment; None when there is none. Raises AccountsUnavailable."""
    wanted = (
        select(pipelines.c.state, connectors.c.type)
        .join(connectors, connectors.c.id == pipelines.c.source_id)
        .where(pipelines.c.id == pipeline_id, pipelines.c.environment_id == environment_id)
    )
    with heard():
        async with database.reading() as connection:
            found = (await connection.execute(wanted)).first()
    return SourceWithin(*found) if found else None
