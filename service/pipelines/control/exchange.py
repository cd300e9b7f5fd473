"""Connectors and pipelines in the document of everything: out, and in again, without secrets."""

import re
from collections.abc import Mapping
from typing import Any

import msgspec
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from service.accounts.exchange import Counts, TakeIn
from service.accounts.records import Accounts
from service.errors import Conflict, Forbidden, InvalidInput, NotFound
from service.pipelines.connectors.registry import kind_of
from service.pipelines.control.configuration import (
    Configuration,
    ConnectorPart,
    exported,
    place,
    placed,
)
from service.pipelines.control.making import Workshop
from service.pipelines.control.pipelines import check_room, make_row, pipeline_within
from service.pipelines.control.reach import Reach, team_within
from service.pipelines.control.rows import pipelines_of
from service.pipelines.control.settings import told_masked
from service.pipelines.control.tables import connectors, pipelines
from service.pipelines.control.vault import Vault
from service.pipelines.control.wanted import check_pipeline_name

_ID = re.compile(r"[A-Za-z0-9_-]{1,36}")


class ConnectorRecord(msgspec.Struct, forbid_unknown_fields=True):
    """A connector of a team, known by its name, with masks for its secrets."""

    team_id: str
    name: str
    type: str
    config: dict[str, Any]


class PipelineRecord(msgspec.Struct, forbid_unknown_fields=True):
    """A pipeline of a team."""

    id: str
    team_id: str
    configuration: Configuration


class Everything(Accounts, forbid_unknown_fields=True, kw_only=True):
    """The document of all accounts, with what their teams have."""

    connectors: list[ConnectorRecord] = msgspec.field(default_factory=list)
    pipelines: list[PipelineRecord] = msgspec.field(default_factory=list)


class PipelineExchange:
    """Export and import of all connectors and pipelines, in somebody else's transaction."""

    def __init__(self, vault: Vault) -> None:
        self._vault = vault

    async def records(self, connection: AsyncConnection) -> Mapping[str, list[Any]]:
        """All there are, by the member of the document."""
        asked = select(connectors).order_by(connectors.c.team_id, connectors.c.name)
        rows = (await connection.execute(asked)).mappings().all()
        there = [ConnectorRecord(r["team_id"], r["name"], r["type"], r["settings"]) for r in rows]
        asked = select(pipelines).order_by(pipelines.c.created_at, pipelines.c.id)
        rows = (await connection.execute(asked)).mappings().all()
        found = await pipelines_of(connection, rows)
        ours = [PipelineRecord(one.id, one.team_id, exported(one)) for one in found]
        return {"connectors": there, "pipelines": ours}

    def taking(self, reach: Reach, document: Everything) -> TakeIn:
        """What takes a document in: all of it, or it raises InvalidInput or Conflict.

        What is new is made: connectors without the secrets that are masked, and pipelines as
        drafts. What is there keeps its secrets and its state.
        """

        async def take_in(connection: AsyncConnection, done: Counts) -> None:
            for number, one in enumerate(document.connectors):
                shop = await self._shop(connection, reach, one.team_id, f"connectors.{number}")
                _count(done, "connectors", await _take_connector(shop, one, number))
            for number, pipeline in enumerate(document.pipelines):
                shop = await self._shop(connection, reach, pipeline.team_id, f"pipelines.{number}")
                _count(done, "pipelines", await _take_pipeline(shop, pipeline, number))

        return take_in

    async def _shop(
        self, connection: AsyncConnection, reach: Reach, team_id: str, field: str
    ) -> Workshop:
        try:
            team = await team_within(connection, reach, team_id)
        except (NotFound, Forbidden) as error:
            raise InvalidInput(str(error), f"{field}.team_id") from None
        return Workshop(connection, reach, self._vault, team, told_masked)


async def _take_connector(shop: Workshop, record: ConnectorRecord, number: int) -> str:
    field = f"connectors.{number}"
    side = kind_of(record.type, f"{field}.type").direction
    part = ConnectorPart(record.name, record.type, record.config)
    _, outcome = await placed(shop, part, side, field)
    await shop.settle()
    return outcome


async def _take_pipeline(shop: Workshop, record: PipelineRecord, number: int) -> str:
    """`created`, `updated` or `unchanged`."""
    connection, wanted = shop.connection, record.configuration
    if not _ID.fullmatch(record.id):
        about = "an id has 1 to 36 letters, digits, _ and -"
        raise InvalidInput(about, f"pipelines.{number}.id")
    there = select(pipelines.c.team_id).where(pipelines.c.id == record.id)
    team_id = (await connection.execute(there)).scalar_one_or_none()
    if team_id is None:
        await _make(shop, record, number)
        return "created"
    if team_id != record.team_id:
        raise Conflict(f"the pipeline {record.id} is another team's here")
    pipeline = await pipeline_within(connection, shop.reach, record.id)
    return "updated" if await place(shop, pipeline, wanted) else "unchanged"


async def _make(shop: Workshop, record: PipelineRecord, number: int) -> None:
    connection, wanted = shop.connection, record.configuration
    name = check_pipeline_name(wanted.name)
    await check_room(connection, shop.team, name)
    source_id, _ = await placed(shop, wanted.source, "source", f"pipelines.{number}.source")
    await make_row(connection, shop.team, name, (source_id, False), record.id)
    await place(shop, await pipeline_within(connection, shop.reach, record.id), wanted)


def _count(done: Counts, kind: str, outcome: str) -> None:
    for name in ("created", "updated", "unchanged"):
        counts = getattr(done, name)
        counts[kind] = counts.get(kind, 0) + (name == outcome)
