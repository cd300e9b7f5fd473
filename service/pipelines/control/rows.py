"""Pipelines with all that belongs to them, as their rows have it. Times in ms since 1970 UTC."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import RowMapping, Table, select
from sqlalchemy.ext.asyncio import AsyncConnection

from service.accounts.memberships import teams
from service.pipelines.control.tables import connectors, datamodels, subscriptions


@dataclass(frozen=True, slots=True)
class Connector:
    """A connector, with masks for its secrets."""

    id: str
    environment_id: str
    team_id: str
    name: str
    type: str
    direction: str
    settings: Mapping[str, Any]
    created_at: int
    updated_at: int


@dataclass(frozen=True, slots=True)
class Datamodel:
    """The records of a pipeline's source."""

    id: str
    pipeline_id: str
    source_topic: str | None
    target_topic: str | None
    error_table_enabled: bool
    error_table_name: str | None
    error_table_target_id: str | None
    created_at: int
    updated_at: int


@dataclass(frozen=True, slots=True)
class Subscription:
    """One way from the records of a source into a target."""

    id: str
    pipeline_id: str
    datamodel_id: str
    number: int
    wanted: str
    """draft, running or paused."""
    target_id: str
    target_named: bool
    target_table_name: str | None
    backfill: bool
    since: int | None
    """Begin with the records of this time."""
    mapper_config: Sequence[Mapping[str, Any]] | None
    transforms: Sequence[Mapping[str, Any]] | None
    consumer_id: str
    error_table_enabled: bool
    error_table_name: str | None
    error_table_target_id: str | None
    created_at: int
    updated_at: int


@dataclass(frozen=True, slots=True)
class Pipeline:
    """A pipeline and its parts."""

    id: str
    environment_id: str
    team_id: str
    name: str
    state: str
    reason: str
    """Why it is in the state error."""
    version: int
    source_id: str
    source_named: bool
    created_at: int
    updated_at: int
    state_at: int
    team_name: str
    datamodel: Datamodel | None
    subscriptions: Sequence[Subscription]
    connectors: Mapping[str, Connector]
    """All that it uses, by id."""

    @property
    def source(self) -> Connector:
        return self.connectors[self.source_id]

    @property
    def own(self) -> Subscription | None:
        """The subscription that the flattened fields of the pipeline speak of."""
        return self.subscriptions[0] if self.subscriptions else None


_OWN = Pipeline.__slots__[:12]
"""What stands in the row itself."""


def connector_of(row: RowMapping) -> Connector:
    """The connector of a row."""
    return Connector(**{field: row[field] for field in Connector.__slots__})


def datamodel_of(row: RowMapping) -> Datamodel:
    """The datamodel of a row."""
    return Datamodel(**{field: row[field] for field in Datamodel.__slots__})


def subscription_of(row: RowMapping) -> Subscription:
    """The subscription of a row."""
    return Subscription(**{field: row[field] for field in Subscription.__slots__})


async def pipelines_of(
    connection: AsyncConnection, rows: Sequence[RowMapping]
) -> Sequence[Pipeline]:
    """The pipelines of these rows, in their order; four questions however many there are."""
    ids = [row["id"] for row in rows]
    ways = await _rows(connection, subscriptions, "pipeline_id", ids)
    held = [subscription_of(row) for row in sorted(ways, key=lambda row: row["number"])]
    models = [datamodel_of(r) for r in await _rows(connection, datamodels, "pipeline_id", ids)]
    used = {row["id"]: _used(row, held, models) for row in rows}
    wanted = {one for some in used.values() for one in some}
    known = {r["id"]: connector_of(r) for r in await _rows(connection, connectors, "id", wanted)}
    names = {
        r["id"]: r["name"]
        for r in await _rows(connection, teams, "id", {row["team_id"] for row in rows})
    }
    return [
        Pipeline(
            **{field: row[field] for field in _OWN},
            team_name=names[row["team_id"]],
            datamodel=next((one for one in models if one.pipeline_id == row["id"]), None),
            subscriptions=[one for one in held if one.pipeline_id == row["id"]],
            connectors={one: known[one] for one in used[row["id"]]},
        )
        for row in rows
    ]


def _used(row: RowMapping, held: Iterable[Subscription], models: Iterable[Datamodel]) -> list[str]:
    """The ids of the connectors that a pipeline uses, the source first."""
    mine: list[Subscription | Datamodel] = [
        one for some in (held, models) for one in some if one.pipeline_id == row["id"]
    ]
    targets = [one.target_id for one in mine if isinstance(one, Subscription)]
    failed = [one.error_table_target_id for one in mine]
    return list(dict.fromkeys([row["source_id"], *targets, *filter(None, failed)]))


async def _rows(
    connection: AsyncConnection, table: Table, column: str, values: Iterable[str]
) -> Sequence[RowMapping]:
    found = await connection.execute(select(table).where(table.c[column].in_(list(values))))
    return found.mappings().all()
