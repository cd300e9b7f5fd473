"""The parts of a pipeline, made and changed in the transaction of whoever changes it."""

import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import RowMapping, func, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from service.accounts.credentials import now_ms
from service.errors import Conflict, InvalidInput, NotFound
from service.pipelines.control import connectors as connecting
from service.pipelines.control.connectors import NewConnector, connector_row
from service.pipelines.control.reach import Reach
from service.pipelines.control.rows import Pipeline
from service.pipelines.control.settings import Told, told
from service.pipelines.control.tables import datamodels, pipelines, subscriptions
from service.pipelines.control.vault import Vault
from service.pipelines.control.versions import renew
from service.pipelines.control.wanted import USUAL, Wanted, new_connector

MOST_SUBSCRIPTIONS = 50
"""Of one pipeline."""


@dataclass(frozen=True, slots=True)
class Workshop:
    """What every change works with: its transaction, who makes it, and the team it is for."""

    connection: AsyncConnection
    reach: Reach
    vault: Vault
    team: RowMapping
    keep: Callable[..., Told] = told
    """What is kept of connectors' settings."""
    changed: set[str] = field(default_factory=set)
    """The pipelines whose workers must hear of what was changed."""

    async def settle(self) -> None:
        """Give each of them another version, one for all that was changed."""
        await renew(self.connection, self.reach.by, self.changed)

    async def change_connector(self, row: RowMapping, values: Mapping[str, Any]) -> None:
        """Change columns of a connector. Raises Conflict."""
        self.changed.update(await connecting.change(self.connection, self.reach, row, values))

    async def connector(self, said: Mapping[str, Any], side: str) -> tuple[str, bool]:
        """The connector that is said, made if it is new; and whether it was there before.

        Raises InvalidInput, NotFound, Forbidden, Conflict.
        """
        if "existing" in said:
            return await self.there(said["existing"], side, f"existing_{side}_id"), True
        new_connector(said, side)
        wanted = NewConnector(
            self.team["id"], said["name"], said["type"], said["config"], side, f"{side}_{{}}"
        )
        made = await connecting.make(self.connection, self.vault, self.reach, self.team, wanted)
        return made.id, False

    async def there(self, connector_id: str, side: str, field: str) -> str:
        """A connector of the same environment. Raises NotFound, Forbidden, InvalidInput."""
        row = await connector_row(self.connection, self.reach, connector_id)
        if row["environment_id"] != self.team["environment_id"]:
            raise NotFound(f"there is no connector {connector_id[:64]}")
        if row["direction"] != side:
            raise InvalidInput(f"{row['name']} is a {row['direction']}, not a {side}", field)
        return connector_id

    async def changed_connector(
        self, said: Mapping[str, Any], side: str, now: str
    ) -> tuple[str, bool | None]:
        """The same for a pipeline that has one; without a word of it None, as before.

        Another type makes another connector; else name and settings of the one there is change.
        """
        row = await connector_row(self.connection, self.reach, now)
        if "existing" in said or said.get("type", row["type"]) != row["type"]:
            return await self.connector(said, side)
        values = connecting.changed(
            self.vault, row, said.get("name"), said.get("config"), f"{side}_config"
        )
        await self.change_connector(row, values)
        return now, None

    async def check_error_target(self, columns: Mapping[str, Any], prefix: str = "") -> None:
        """Raises InvalidInput, NotFound, Forbidden."""
        if target_id := columns.get("error_table_target_id"):
            await self.there(target_id, "target", f"{prefix}error_table_target_id")

    async def new_datamodel(self, pipeline_id: str, said: Mapping[str, Any]) -> str:
        """The id of a new datamodel."""
        now, made = now_ms(), str(uuid.uuid4())
        await self.check_error_target(said, "datamodel_")
        columns = {**USUAL["datamodel"], **said}
        await self.connection.execute(
            insert(datamodels).values(
                **columns, id=made, pipeline_id=pipeline_id, created_at=now, updated_at=now
            )
        )
        return made

    async def new_subscription(
        self,
        pipeline_id: str,
        datamodel_id: str,
        target: tuple[str, bool],
        said: Mapping[str, Any],
        prefix: str = "",
    ) -> str:
        """The id of a new subscription, a draft. Raises InvalidInput, Conflict."""
        await self.check_error_target(said, prefix)
        now, made, columns = now_ms(), str(uuid.uuid4()), dict(said)
        consumer_id = columns.pop("consumer_id", None) or f"sub-{made}"
        await self.connection.execute(
            insert(subscriptions).values(
                **{**USUAL["subscription"], **columns},
                id=made,
                pipeline_id=pipeline_id,
                datamodel_id=datamodel_id,
                number=await self._next_number(pipeline_id),
                wanted="draft",
                target_id=target[0],
                target_named=target[1],
                consumer_id=consumer_id,
                created_at=now,
                updated_at=now,
            )
        )
        return made

    async def _next_number(self, pipeline_id: str) -> int:
        mine = subscriptions.c.pipeline_id == pipeline_id
        asked = select(func.max(subscriptions.c.number), func.count()).where(mine)
        last, there = (await self.connection.execute(asked)).one()
        if there >= MOST_SUBSCRIPTIONS:
            raise Conflict(f"a pipeline has at most {MOST_SUBSCRIPTIONS} subscriptions")
        return (last or 0) + 1

    async def change_source(self, pipeline: Pipeline, wanted: Wanted) -> bool:
        """Whether another connector is the source now."""
        if not (said := wanted.connector("source")):
            return False
        source_id, named = await self.changed_connector(said, "source", pipeline.source_id)
        if named is None or source_id == pipeline.source_id:
            return False
        mine = update(pipelines).where(pipelines.c.id == pipeline.id)
        await self.connection.execute(mine.values(source_id=source_id, source_named=named))
        return True

    async def change_datamodel(self, pipeline: Pipeline, wanted: Wanted) -> bool:
        """Whether the datamodel is another one now."""
        said, now = wanted.columns("datamodel"), pipeline.datamodel
        if now is None:
            needed = said or wanted.columns("subscription") or wanted.connector("target")
            if needed:
                await self.new_datamodel(pipeline.id, said)
            return bool(needed)
        said = {name: value for name, value in said.items() if getattr(now, name) != value}
        await self.check_error_target(said, "datamodel_")
        if said:
            mine = update(datamodels).where(datamodels.c.id == now.id)
            await self.connection.execute(mine.values(**said, updated_at=now_ms()))
        return bool(said)

    async def change_subscription(self, pipeline: Pipeline, wanted: Wanted) -> bool:
        """Whether the pipeline's own subscription is another one now."""
        said, target, own = wanted.columns("subscription"), wanted.connector("target"), pipeline.own
        if own is None:
            if not (said or target):
                return False
            of_it = datamodels.c.pipeline_id == pipeline.id
            model = await self.connection.execute(select(datamodels.c.id).where(of_it))
            there = await self.connector(target, "target")
            await self.new_subscription(
                pipeline.id, model.scalar_one(), there, said, "subscription_"
            )
            return True
        if target:
            target_id, named = await self.changed_connector(target, "target", own.target_id)
            if named is not None:
                said |= {"target_id": target_id, "target_named": named}
        return await self.set_subscription(own.id, said, own, "subscription_")

    async def set_subscription(
        self, subscription_id: str, said: Mapping[str, Any], former: Any, prefix: str = ""
    ) -> bool:
        """Whether something of a subscription is another value now."""
        new = {name: value for name, value in said.items() if getattr(former, name) != value}
        if "consumer_id" in new and new["consumer_id"] is None:
            del new["consumer_id"]
        await self.check_error_target(new, prefix)
        if new:
            mine = update(subscriptions).where(subscriptions.c.id == subscription_id)
            await self.connection.execute(mine.values(**new, updated_at=now_ms()))
        return bool(new)
