"""A pipeline's configuration as one document: out, and into this or another pipeline."""

from collections.abc import Sequence
from typing import Any, Literal

import msgspec
from sqlalchemy import delete, select, update

from service.accounts import audit
from service.database import Database, heard
from service.errors import Conflict, InvalidInput
from service.pipelines.control import connectors as connecting
from service.pipelines.control.connectors import NewConnector
from service.pipelines.control.making import Workshop
from service.pipelines.control.pipelines import note, pipeline_within, rename
from service.pipelines.control.reach import Reach, team_within
from service.pipelines.control.rows import Pipeline, Subscription
from service.pipelines.control.tables import connectors, datamodels, pipelines, subscriptions
from service.pipelines.control.vault import Vault
from service.pipelines.control.wanted import columns_said

VERSION = 1


class ConnectorPart(msgspec.Struct, forbid_unknown_fields=True):
    """A connector, with masks for its secrets."""

    name: str
    type: str
    config: dict[str, Any]


class DatamodelPart(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """A datamodel."""

    source_topic: str | None = None
    target_topic: str | None = None
    error_table_enabled: bool = False
    error_table_name: str | None = None
    error_table_target: ConnectorPart | None = None


class SubscriptionPart(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """A subscription; the first one is the pipeline's own."""

    target: ConnectorPart
    target_table_name: str | None = None
    backfill: bool = False
    mapper_config: list[dict[str, Any]] | None = None
    transforms: list[dict[str, Any]] | None = None
    error_table_enabled: bool = False
    error_table_name: str | None = None
    error_table_target: ConnectorPart | None = None


class Configuration(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """The document."""

    format: Literal["headrace-pipeline"] = "headrace-pipeline"
    version: int = VERSION
    name: str
    source: ConnectorPart
    datamodel: DatamodelPart | None = None
    subscriptions: list[SubscriptionPart] = []


def exported(pipeline: Pipeline) -> Configuration:
    """What an import elsewhere needs."""
    return Configuration(
        name=pipeline.name,
        source=_part(pipeline, pipeline.source_id),
        datamodel=_datamodel(pipeline),
        subscriptions=[_subscription(pipeline, one) for one in pipeline.subscriptions],
    )


class Importing:
    """Makes a pipeline what a document says."""

    def __init__(self, database: Database, vault: Vault) -> None:
        self._database = database
        self._vault = vault

    async def take_in(self, reach: Reach, pipeline_id: str, document: Configuration) -> Pipeline:
        """All of it, or nothing. The same document again changes nothing.

        Connectors are found by name in the pipeline's team, and changed to what the document says;
        those that are not there are made. A mask stands for the secret that is kept already.
        Raises InvalidInput, NotFound, Forbidden, Conflict.
        """
        if document.version != VERSION:
            raise InvalidInput(f"this service reads version {VERSION}", "version")
        with heard():
            async with self._database.writing() as connection:
                pipeline = await pipeline_within(connection, reach, pipeline_id)
                team = await team_within(connection, reach, pipeline.team_id)
                shop = Workshop(connection, reach, self._vault, team)
                await place(shop, pipeline, document)
                await note(connection, reach, audit.PIPELINE_IMPORTED, pipeline)
                return await pipeline_within(connection, reach, pipeline_id)


async def place(shop: Workshop, pipeline: Pipeline, document: Configuration) -> bool:
    """Make a pipeline what a document says, in the transaction of the shop; whether it was not.

    Raises as `take_in` does.
    """
    placing = _Placing(shop, pipeline)
    is_renamed = await rename(shop.connection, pipeline, document.name)
    if any(
        [
            await placing.source(document.source),
            await placing.datamodel(document.datamodel),
            await placing.subscriptions(document.subscriptions),
        ]
    ):
        shop.changed.add(pipeline.id)
    await shop.settle()
    return is_renamed or bool(shop.changed)


async def placed(shop: Workshop, part: ConnectorPart, side: str, field: str) -> tuple[str, str]:
    """The connector of the team that has this name, made what the part says; and whether it was
    `created`, `updated`, or `unchanged`. Raises InvalidInput, Conflict.
    """
    named = (connectors.c.team_id == shop.team["id"]) & (connectors.c.name == part.name)
    row = (await shop.connection.execute(select(connectors).where(named))).mappings().one_or_none()
    if row is None:
        wanted = NewConnector(
            shop.team["id"], part.name, part.type, part.config, side, f"{field}.{{}}", shop.keep
        )
        made = await connecting.make(shop.connection, shop.vault, shop.reach, shop.team, wanted)
        return made.id, "created"
    if row["type"] != part.type:
        raise Conflict(f"the team has a connector called {part.name} of type {row['type']}")
    values = connecting.changed(shop.vault, row, None, part.config, f"{field}.config", shop.keep)
    await shop.change_connector(row, values)
    return str(row["id"]), "updated" if values else "unchanged"


class _Placing:
    """Puts the parts of a document into a pipeline. Each step tells whether it changed it."""

    def __init__(self, shop: Workshop, pipeline: Pipeline) -> None:
        self._shop = shop
        self._pipeline = pipeline
        self._model_id = pipeline.datamodel.id if pipeline.datamodel else ""

    async def source(self, part: ConnectorPart) -> bool:
        source_id = await self._connector(part, "source", "source")
        if source_id == self._pipeline.source_id:
            return False
        mine = update(pipelines).where(pipelines.c.id == self._pipeline.id)
        await self._shop.connection.execute(mine.values(source_id=source_id))
        return True

    async def datamodel(self, part: DatamodelPart | None) -> bool:
        wanted, now = part or DatamodelPart(), self._pipeline.datamodel
        said = await self._columns(wanted, "datamodel")
        if now is None:
            self._model_id = await self._shop.new_datamodel(self._pipeline.id, said)
            return True
        new = {name: value for name, value in said.items() if getattr(now, name) != value}
        if new:
            mine = update(datamodels).where(datamodels.c.id == now.id)
            await self._shop.connection.execute(mine.values(**new))
        return bool(new)

    async def subscriptions(self, parts: Sequence[SubscriptionPart]) -> bool:
        """One into the same place stays the same, wherever it has come to."""
        left, changes = list(self._pipeline.subscriptions), []
        for number, part in enumerate(parts):
            field = f"subscriptions.{number}"
            target_id = await self._connector(part.target, "target", f"{field}.target")
            said = await self._columns(part, field)
            same = [one for one in left if _place(one) == (target_id, part.target_table_name)]
            if same:
                left.remove(same[0])
                changes.append(await self._shop.set_subscription(same[0].id, said, same[0]))
                continue
            await self._shop.new_subscription(
                self._pipeline.id, self._model_id, (target_id, False), said
            )
            changes.append(True)
        for one in left:
            gone = delete(subscriptions).where(subscriptions.c.id == one.id)
            await self._shop.connection.execute(gone)
        return any(changes) or bool(left)

    async def _columns(self, part: DatamodelPart | SubscriptionPart, field: str) -> dict[str, Any]:
        said = columns_said(part, field=field)
        said.pop("target", None)
        elsewhere = said.pop("error_table_target")
        said["error_table_target_id"] = (
            await self._connector(elsewhere, "target", f"{field}.error_table_target")
            if elsewhere
            else None
        )
        return said

    async def _connector(self, part: ConnectorPart, side: str, field: str) -> str:
        return (await placed(self._shop, part, side, field))[0]


def _place(one: Subscription) -> tuple[str, str | None]:
    return one.target_id, one.target_table_name


def _part(pipeline: Pipeline, connector_id: str) -> ConnectorPart:
    connector = pipeline.connectors[connector_id]
    return ConnectorPart(connector.name, connector.type, dict(connector.settings))


def _datamodel(pipeline: Pipeline) -> DatamodelPart | None:
    if (model := pipeline.datamodel) is None:
        return None
    target_id = model.error_table_target_id
    return DatamodelPart(
        source_topic=model.source_topic,
        target_topic=model.target_topic,
        error_table_enabled=model.error_table_enabled,
        error_table_name=model.error_table_name,
        error_table_target=_part(pipeline, target_id) if target_id else None,
    )


def _subscription(pipeline: Pipeline, one: Subscription) -> SubscriptionPart:
    target_id = one.error_table_target_id
    return SubscriptionPart(
        target=_part(pipeline, one.target_id),
        target_table_name=one.target_table_name,
        backfill=one.backfill,
        mapper_config=[dict(c) for c in one.mapper_config] if one.mapper_config else None,
        transforms=[dict(t) for t in one.transforms] if one.transforms else None,
        error_table_enabled=one.error_table_enabled,
        error_table_name=one.error_table_name,
        error_table_target=_part(pipeline, target_id) if target_id else None,
    )
