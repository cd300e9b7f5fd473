"""Subscriptions as people make, change, start and delete them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import RowMapping, delete, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from service.accounts import audit
from service.accounts.pages import Page, Span, rows_of
from service.database import Database, heard
from service.errors import Conflict, InvalidInput, NotFound
from service.pipelines.control.connectors import connector_row
from service.pipelines.control.making import Workshop
from service.pipelines.control.pipelines import note, pipeline_within
from service.pipelines.control.reach import Reach, environment_of, reached, team_within
from service.pipelines.control.rows import Connector, Pipeline, Subscription, pipelines_of
from service.pipelines.control.states import WORKED, set_state
from service.pipelines.control.tables import datamodels, pipelines, subscriptions
from service.pipelines.control.vault import Vault
from service.pipelines.control.versions import renew

MOST_AT_ONCE = 100
"""Subscriptions made by one call."""


@dataclass(frozen=True, slots=True)
class Held:
    """A subscription, and the pipeline that holds it."""

    subscription: Subscription
    pipeline: Pipeline

    @property
    def state(self) -> str:
        """Its pipeline's, unless it was not started yet, or paused for itself."""
        wanted = self.subscription.wanted
        return self.pipeline.state if wanted == "running" else wanted

    @property
    def target(self) -> Connector:
        return self.pipeline.connectors[self.subscription.target_id]


class Subscriptions:
    """The subscriptions of pipelines that somebody reaches.

    Everything raises AccountsUnavailable; what names a subscription raises NotFound for one of an
    environment that he does not belong to, and Forbidden for one of another team.
    """

    def __init__(self, database: Database, vault: Vault) -> None:
        self._database = database
        self._vault = vault

    async def page(self, reach: Reach, span: Span, pipeline_id: str | None = None) -> Page[Held]:
        """Those of the environment spoken for, oldest first, of pipelines with this name."""
        with heard():
            async with self._database.reading() as connection:
                environment_id = await environment_of(connection, reach)
                mine = await reached(connection, reach, environment_id, pipelines.c.team_id)
                question = (
                    select(subscriptions)
                    .join(pipelines, pipelines.c.id == subscriptions.c.pipeline_id)
                    .where(pipelines.c.environment_id == environment_id, mine)
                    .where(pipelines.c.name.icontains(span.search, autoescape=True))
                    .order_by(subscriptions.c.created_at, subscriptions.c.id)
                )
                if pipeline_id is not None:
                    question = question.where(subscriptions.c.pipeline_id == pipeline_id)
                rows, total = await rows_of(connection, question, span)
                return Page(await _held(connection, rows), total, span)

    async def find(self, reach: Reach, subscription_id: str) -> Held:
        """One of them, of whatever environment."""
        with heard():
            async with self._database.reading() as connection:
                return await subscription_within(connection, reach, subscription_id)

    async def make(self, reach: Reach, wanted: Mapping[str, Any]) -> Held:
        """Make one for a datamodel, a draft; the target is there already.

        `wanted` has `datamodel_id`, `target_id` and columns. Raises InvalidInput, Conflict.
        """
        return (await self.make_all(reach, [wanted]))[0]

    async def make_all(self, reach: Reach, wanted: Sequence[Mapping[str, Any]]) -> Sequence[Held]:
        """The same for several: all of them, or none."""
        if not 1 <= len(wanted) <= MOST_AT_ONCE:
            raise InvalidInput(f"1 to {MOST_AT_ONCE} at once")
        with heard():
            async with self._database.writing() as connection:
                made = [await self._make(connection, reach, each) for each in wanted]
                return [await subscription_within(connection, reach, one) for one in made]

    async def subscribe_all(
        self, reach: Reach, target_id: str, columns: Mapping[str, Any]
    ) -> Sequence[Held]:
        """Subscribe a target to every datamodel of its team that it has no part of yet.

        Each goes into the table of its pipeline's name, unless `columns` name one.
        """
        with heard():
            async with self._database.writing() as connection:
                team_id = await _team_of(connection, reach, target_id)
                fed = select(subscriptions.c.datamodel_id).where(
                    subscriptions.c.target_id == target_id
                )
                asked = (
                    select(datamodels.c.id, pipelines.c.name)
                    .join(pipelines, pipelines.c.id == datamodels.c.pipeline_id)
                    .where(pipelines.c.team_id == team_id, datamodels.c.id.not_in(fed))
                    .order_by(datamodels.c.created_at, datamodels.c.id)
                )
                made = []
                for row in (await connection.execute(asked)).all():
                    said = {"target_table_name": row.name, **columns}
                    said |= {"datamodel_id": row.id, "target_id": target_id}
                    made.append(await self._make(connection, reach, said))
                return [await subscription_within(connection, reach, one) for one in made]

    async def change(self, reach: Reach, subscription_id: str, columns: Mapping[str, Any]) -> Held:
        """Change columns, and the target. Raises InvalidInput."""
        with heard():
            async with self._database.writing() as connection:
                held = await subscription_within(connection, reach, subscription_id)
                shop = await self._shop(connection, reach, held.pipeline)
                said = dict(columns)
                if said.get("target_id"):
                    await shop.there(said["target_id"], "target", "target_id")
                    said["target_named"] = True
                if await shop.set_subscription(subscription_id, said, held.subscription):
                    await renew(connection, reach.by, [held.pipeline.id])
                    await _note(connection, reach, audit.SUBSCRIPTION_CHANGED, held)
                return await subscription_within(connection, reach, subscription_id)

    async def delete(self, reach: Reach, subscription_id: str) -> None:
        """Delete one; its pipeline stands still without any."""
        with heard():
            async with self._database.writing() as connection:
                held = await subscription_within(connection, reach, subscription_id)
                mine = delete(subscriptions).where(subscriptions.c.id == subscription_id)
                await connection.execute(mine)
                await _heed(connection, reach, held.pipeline)
                await _note(connection, reach, audit.SUBSCRIPTION_DELETED, held)

    async def start(self, reach: Reach, subscription_id: str) -> str:
        """Have it run, and its pipeline; the state that it is in then."""
        with heard():
            async with self._database.writing() as connection:
                held = await subscription_within(connection, reach, subscription_id)
                await _want(connection, reach, held, "running", audit.SUBSCRIPTION_STARTED)
                if held.pipeline.state not in WORKED:
                    await set_state(connection, held.pipeline.id, "building")
                return (await subscription_within(connection, reach, subscription_id)).state

    async def pause(self, reach: Reach, subscription_id: str) -> str:
        """Have it stand still, whatever its pipeline does. Raises Conflict for a draft."""
        with heard():
            async with self._database.writing() as connection:
                held = await subscription_within(connection, reach, subscription_id)
                if held.subscription.wanted == "draft":
                    raise Conflict("a draft does not run: there is nothing to pause")
                await _want(connection, reach, held, "paused", audit.SUBSCRIPTION_PAUSED)
                return "paused"

    async def _make(
        self, connection: AsyncConnection, reach: Reach, wanted: Mapping[str, Any]
    ) -> str:
        columns = dict(wanted)
        model = await datamodel_row(connection, columns.pop("datamodel_id"))
        pipeline = await pipeline_within(connection, reach, model["pipeline_id"])
        shop = await self._shop(connection, reach, pipeline)
        target = await shop.there(columns.pop("target_id"), "target", "target_id")
        made = await shop.new_subscription(pipeline.id, model["id"], (target, True), columns)
        held = await subscription_within(connection, reach, made)
        await renew(connection, reach.by, [pipeline.id])
        await _note(connection, reach, audit.SUBSCRIPTION_MADE, held)
        return made

    async def _shop(
        self, connection: AsyncConnection, reach: Reach, pipeline: Pipeline
    ) -> Workshop:
        team = await team_within(connection, reach, pipeline.team_id)
        return Workshop(connection, reach, self._vault, team)


async def subscription_within(
    connection: AsyncConnection, reach: Reach, subscription_id: str
) -> Held:
    """A subscription of a pipeline that is reached. Raises NotFound, Forbidden."""
    asked = select(subscriptions.c.pipeline_id).where(subscriptions.c.id == subscription_id)
    missing = f"there is no subscription {subscription_id[:64]}"
    if (pipeline_id := (await connection.execute(asked)).scalar_one_or_none()) is None:
        raise NotFound(missing)
    try:
        pipeline = await pipeline_within(connection, reach, pipeline_id)
    except NotFound:
        raise NotFound(missing) from None
    [mine] = [one for one in pipeline.subscriptions if one.id == subscription_id]
    return Held(mine, pipeline)


async def datamodel_row(connection: AsyncConnection, datamodel_id: str) -> RowMapping:
    """Raises NotFound."""
    asked = select(datamodels).where(datamodels.c.id == datamodel_id)
    row = (await connection.execute(asked)).mappings().one_or_none()
    if row is None:
        raise NotFound(f"there is no datamodel {datamodel_id[:64]}")
    return row


async def _held(connection: AsyncConnection, rows: Sequence[RowMapping]) -> Sequence[Held]:
    asked = select(pipelines).where(pipelines.c.id.in_({row["pipeline_id"] for row in rows}))
    holding = (await connection.execute(asked)).mappings().all()
    known = {
        one.id: Held(one, pipeline)
        for pipeline in await pipelines_of(connection, holding)
        for one in pipeline.subscriptions
    }
    return [known[row["id"]] for row in rows]


async def _team_of(connection: AsyncConnection, reach: Reach, target_id: str) -> str:
    row = await connector_row(connection, reach, target_id)
    if row["direction"] != "target":
        raise InvalidInput(f"{row['name']} is a source, not a target", "target_id")
    return str(row["team_id"])


async def _want(
    connection: AsyncConnection, reach: Reach, held: Held, wanted: str, action: str
) -> None:
    if held.subscription.wanted == wanted:
        return
    mine = update(subscriptions).where(subscriptions.c.id == held.subscription.id)
    await connection.execute(mine.values(wanted=wanted))
    await _heed(connection, reach, held.pipeline)
    await _note(connection, reach, action, held)


async def _heed(connection: AsyncConnection, reach: Reach, pipeline: Pipeline) -> None:
    """Have the workers hear that other subscriptions run now, or none."""
    await renew(connection, reach.by, [pipeline.id])
    now = await pipeline_within(connection, reach, pipeline.id)
    if now.state in WORKED and not any(one.wanted == "running" for one in now.subscriptions):
        await set_state(connection, pipeline.id, "paused")


async def _note(connection: AsyncConnection, reach: Reach, action: str, held: Held) -> None:
    await note(connection, reach, action, held.pipeline, subscription=held.subscription.id)
