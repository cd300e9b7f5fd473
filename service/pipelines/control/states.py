"""States of pipelines: draft -> building -> live -> paused or error, and back to building.

People ask for a state; the workers tell which one it has come to (see `catalogue`).
"""

from collections.abc import Sequence

from sqlalchemy import update
from sqlalchemy.ext.asyncio import AsyncConnection

from service.accounts import audit
from service.accounts.credentials import now_ms
from service.database import Database, heard
from service.errors import Conflict
from service.pipelines.control.connectors import connector_row
from service.pipelines.control.pipelines import note, pipeline_within
from service.pipelines.control.reach import Reach
from service.pipelines.control.rows import Pipeline
from service.pipelines.control.tables import pipelines, subscriptions
from service.pipelines.control.versions import renew, users_of

WORKED = ("building", "live")
"""States in which a worker has a pipeline, or will have it soon."""


class States:
    """What somebody wants of pipelines that he reaches.

    Everything gives the state as it is then, and raises NotFound, Forbidden, AccountsUnavailable.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    async def start(self, reach: Reach, pipeline_id: str) -> str:
        """Have it run; one that does already goes on. Raises Conflict without a subscription."""
        with heard():
            async with self._database.writing() as connection:
                pipeline = await pipeline_within(connection, reach, pipeline_id)
                return await start(connection, reach, pipeline)

    async def restart(self, reach: Reach, pipeline_id: str) -> str:
        """Have it opened anew, where it stands. Raises Conflict for a draft."""
        with heard():
            async with self._database.writing() as connection:
                pipeline = await pipeline_within(connection, reach, pipeline_id)
                if pipeline.state == "draft":
                    raise Conflict("a draft does not run yet: start it")
                await renew(connection, reach.by, [pipeline_id])
                await set_state(connection, pipeline_id, "building")
                await note(connection, reach, audit.PIPELINE_RESTARTED, pipeline)
                return "building"

    async def pause(self, reach: Reach, pipeline_id: str) -> str:
        """Have it stand still, until it is started again. Raises Conflict for a draft."""
        with heard():
            async with self._database.writing() as connection:
                pipeline = await pipeline_within(connection, reach, pipeline_id)
                return await _pause(connection, reach, pipeline)

    async def using(self, reach: Reach, connector_id: str) -> Sequence[str]:
        """The ids of all pipelines that use a connector."""
        with heard():
            async with self._database.reading() as connection:
                await connector_row(connection, reach, connector_id)
                return sorted(await users_of(connection, connector_id))

    async def start_of(self, reach: Reach, connector_id: str) -> str:
        """Start all pipelines that use a connector. Raises Conflict when there are none."""
        with heard():
            async with self._database.writing() as connection:
                for pipeline in await _of(connection, reach, connector_id):
                    await start(connection, reach, pipeline)
        return "building"

    async def stop_of(self, reach: Reach, connector_id: str) -> str:
        """Pause all pipelines that use a connector and are no drafts. Raises Conflict for none."""
        with heard():
            async with self._database.writing() as connection:
                for pipeline in await _of(connection, reach, connector_id):
                    if pipeline.state != "draft":
                        await _pause(connection, reach, pipeline)
        return "paused"


async def set_state(
    connection: AsyncConnection, pipeline_id: str, state: str, reason: str = ""
) -> None:
    """Write a state down."""
    mine = update(pipelines).where(pipelines.c.id == pipeline_id)
    await connection.execute(mine.values(state=state, reason=reason, state_at=now_ms()))


async def start(connection: AsyncConnection, reach: Reach, pipeline: Pipeline) -> str:
    """Have a pipeline run, in the caller's transaction. Raises Conflict."""
    if not pipeline.subscriptions:
        raise Conflict("the pipeline has no subscription: give it a target first")
    mine = update(subscriptions).where(subscriptions.c.pipeline_id == pipeline.id)
    drafts = mine.where(subscriptions.c.wanted == "draft").values(wanted="running")
    new = (await connection.execute(drafts)).rowcount
    if all(one.wanted == "paused" for one in pipeline.subscriptions):
        raise Conflict("all its subscriptions are paused: start one of them")
    if pipeline.state in WORKED:
        if new:
            await renew(connection, reach.by, [pipeline.id])
        return pipeline.state
    await set_state(connection, pipeline.id, "building")
    await note(connection, reach, audit.PIPELINE_STARTED, pipeline)
    return "building"


async def _pause(connection: AsyncConnection, reach: Reach, pipeline: Pipeline) -> str:
    if pipeline.state == "draft":
        raise Conflict("a draft does not run: there is nothing to pause")
    if pipeline.state != "paused":
        await set_state(connection, pipeline.id, "paused")
        await note(connection, reach, audit.PIPELINE_PAUSED, pipeline)
    return "paused"


async def _of(connection: AsyncConnection, reach: Reach, connector_id: str) -> Sequence[Pipeline]:
    await connector_row(connection, reach, connector_id)
    used = await users_of(connection, connector_id)
    if not used:
        raise Conflict("no pipeline uses this connector: make one first")
    return [await pipeline_within(connection, reach, one) for one in sorted(used)]
