"""How pipelines do: lag, latencies, what their records look like, and new beginnings."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import msgspec
from litestar import Request
from litestar.handlers import HTTPRouteHandler

from service.api.answers import Answer, iso_if, json_answer
from service.api.control.datamodels import OF as MODELS
from service.api.control.entrance import Entrance
from service.api.control.pipelines import OF
from service.api.forms import read_form
from service.api.guards import WORKS_IN_TEAM
from service.api.openapi import body_of, change, document, read
from service.api.pipeline_requests import LARGEST, pipeline_id_of
from service.events import milliseconds
from service.pipelines.control.datamodels import Datamodels
from service.pipelines.insight import SAMPLE, Insight
from service.pipelines.mapper import columns_of
from service.pipelines.watching import Figures


class Latencies(msgspec.Struct):
    """From the bus to the target, of the newest records, in ms."""

    p50: float
    p95: float
    p99: float


class PartFigures(msgspec.Struct):
    """How a source or a subscription does since its worker took it up; `lag` in messages of the
    bus that are not done yet."""

    lag: int
    records: int
    refused: int
    records_per_second: float
    latency_ms: Latencies
    last_error: str | None
    last_record_at: str | None
    in_trouble: bool
    as_of: str | None


class LatencyInformations(msgspec.Struct):
    """How a pipeline does: its source and its subscriptions by id; null before it has run."""

    pipeline_id: str
    state: str
    source: PartFigures | None
    subscriptions: dict[str, PartFigures]


class FieldDocument(msgspec.Struct):
    """A member of the newest messages: the types of JSON that it has, and in how many it is."""

    name: str
    types: list[str]
    messages: int


class SchemaDocument(msgspec.Struct):
    """What the newest messages of a source look like."""

    datamodel_id: str
    messages: int
    fields: list[FieldDocument]


class BackfillForm(msgspec.Struct, forbid_unknown_fields=True):
    """From when on the records shall come again; from the first one without."""

    since: datetime | None = None


class Backfilled(msgspec.Struct):
    """How many subscriptions begin again."""

    subscriptions: int


class DryRunForm(msgspec.Struct, forbid_unknown_fields=True):
    """The mapper and the transforms to try."""

    mapper_config: list[dict[str, Any]] | None = None
    transforms: list[dict[str, Any]] | None = None


class MissDocument(msgspec.Struct):
    """A message that would give no record, and why."""

    message: dict[str, Any]
    reason: str


class DryRunDocument(msgspec.Struct):
    """What the newest messages would become."""

    messages: int
    records: list[dict[str, Any]]
    refused: list[MissDocument]


class MonitoringRoutes:
    """Figures, schemas, dry runs, backfills."""

    def __init__(self, entrance: Entrance, insight: Insight, datamodels: Datamodels) -> None:
        self._entrance = entrance
        self._insight = insight
        self._datamodels = datamodels

    def routes(self) -> list[HTTPRouteHandler]:
        """The handlers."""
        return [
            *read(
                "/api/pipelines/{pipeline_id:str}/latency-informations", self.latencies, _LATENCIES
            ),
            change("POST", "/api/pipelines/{pipeline_id:str}/backfill", self.backfill, _BACKFILL),
            change("POST", "/api/pipelines/{pipeline_id:str}/dry-run", self.dry_run, _DRY_RUN),
            *read("/api/datamodels/{datamodel_id:str}/monitoring", self.monitoring, _MONITORING),
            *read("/api/datamodels/{datamodel_id:str}/schema", self.schema, _SCHEMA),
        ]

    async def latencies(self, request: Request[Any, Any, Any]) -> Answer:
        """Lag, throughput and latencies of a pipeline."""
        reach = await self._entrance.reach(request, WORKS_IN_TEAM)
        pipeline, figures = await self._insight.figures(reach, pipeline_id_of(request))
        return json_answer(200, _informations(pipeline.id, pipeline.state, figures))

    async def backfill(self, request: Request[Any, Any, Any]) -> Answer:
        """Have the records of a pipeline written again, from the first that is kept or from a time.

        Targets with a primary key have each once still.
        """
        reach = await self._entrance.reach(request, WORKS_IN_TEAM)
        form = await read_form(request, BackfillForm, usual=BackfillForm())
        since = milliseconds(form.since) if form.since else None
        turned = await self._insight.backfill(reach, pipeline_id_of(request), since)
        return json_answer(202, Backfilled(turned))

    async def dry_run(self, request: Request[Any, Any, Any]) -> Answer:
        """Show what a mapper would make of the newest messages of a pipeline's source.

        Nothing is written, and nothing is kept.
        """
        reach = await self._entrance.reach(request, WORKS_IN_TEAM)
        form = await read_form(request, DryRunForm, LARGEST)
        columns = columns_of(form.mapper_config)[0] if form.mapper_config else ()
        messages, drawn = await self._insight.dry_run(
            reach, pipeline_id_of(request), columns, form.transforms or ()
        )
        refused = [
            MissDocument(dict(messages[one.place.message].value), one.reason)
            for one in drawn.refused
        ]
        records = [dict(one.record) for one in drawn.outgoing]
        return json_answer(200, DryRunDocument(len(messages), records, refused))

    async def monitoring(self, request: Request[Any, Any, Any]) -> Answer:
        """How the pipeline of a datamodel does."""
        reach = await self._entrance.reach(request, WORKS_IN_TEAM)
        found = await self._datamodels.find(reach, _datamodel_id(request))
        pipeline, figures = await self._insight.figures(reach, found.pipeline.id)
        return json_answer(200, _informations(pipeline.id, pipeline.state, figures))

    async def schema(self, request: Request[Any, Any, Any]) -> Answer:
        """What the newest messages of a datamodel look like."""
        reach = await self._entrance.reach(request, WORKS_IN_TEAM)
        found = await self._datamodels.find(reach, _datamodel_id(request))
        messages = await self._insight.sample(reach, found.pipeline.id)
        values = [one.value for one in messages]
        return json_answer(200, SchemaDocument(found.datamodel.id, len(values), _fields(values)))


def part_figures(one: Figures) -> PartFigures:
    """The figures as faces show them."""
    return PartFigures(
        lag=one.lag,
        records=one.records,
        refused=one.refused,
        records_per_second=one.per_second,
        latency_ms=Latencies(one.latency_p50, one.latency_p95, one.latency_p99),
        last_error=one.last_error or None,
        last_record_at=iso_if(one.last_record_at or None),
        in_trouble=one.in_trouble,
        as_of=iso_if(one.at or None),
    )


def _informations(
    pipeline_id: str, state: str, figures: Mapping[str, Figures]
) -> LatencyInformations:
    parts = {name: part_figures(one) for name, one in figures.items()}
    return LatencyInformations(pipeline_id, state, parts.pop("source", None), parts)


def _fields(values: Sequence[Mapping[str, Any]]) -> list[FieldDocument]:
    """Each member of these objects, in the order in which they come."""
    found: dict[str, list[str]] = {}
    for value in values:
        for name, member in value.items():
            found.setdefault(name, []).append(_type(member))
    return [FieldDocument(name, sorted(set(types)), len(types)) for name, types in found.items()]


def _type(value: Any) -> str:
    """The type of JSON."""
    kinds = {bool: "boolean", int: "integer", float: "number", str: "string", dict: "object"}
    return "null" if value is None else kinds.get(type(value), "array")


def _datamodel_id(request: Request[Any, Any, Any]) -> str:
    return str(request.scope["path_params"]["datamodel_id"])


_SINCE = {"since": "2025-11-19T10:00:00Z"}
_BACKFILL_FORM = {
    "type": "object",
    "additionalProperties": False,
    "properties": {"since": {"type": ["string", "null"], "format": "date-time"}},
}
_DRY_RUN_FORM = {
    "type": "object",
    "additionalProperties": False,
    "properties": {
        "mapper_config": {"type": ["array", "null"], "items": {"type": "object"}},
        "transforms": {"type": ["array", "null"], "items": {"type": "object"}},
    },
}
_MAPPER = {"mapper_config": [{"key": "user_id", "path": "$.user.id", "cast": "int"}]}
_LATENCIES = OF.find(document(200, LatencyInformations, "How it does."))
_BACKFILL = OF.change(
    document(202, Backfilled, "What begins again."),
    body_of("From when on.", json=(_BACKFILL_FORM, _SINCE)),
)
_DRY_RUN = OF.find(
    document(200, DryRunDocument, f"Of the newest {SAMPLE} messages."),
    body=body_of("What shall be tried.", json=(_DRY_RUN_FORM, _MAPPER)),
)
_MONITORING = MODELS.find(document(200, LatencyInformations, "How it does."))
_SCHEMA = MODELS.find(document(200, SchemaDocument, "What they look like."))
