"""`/api/v1/sources/{id}/metrics` and `/api/v1/pipelines/{id}/logs`: how things go."""

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
from litestar import Request
from litestar.handlers import HTTPRouteHandler

from service.api.answers import Answer, iso, iso_if, json_answer
from service.api.guards import SEES_PIPELINES
from service.api.log_lines import LineDocument, line_document, lines_asked
from service.api.openapi import Said, document, read, text_parameter
from service.api.pipeline_requests import pipeline_id_of
from service.api.thedata.doorway import Doorway, refused
from service.api.thedata.pipelines import PIPELINE_ID
from service.api.thedata.sources import SOURCE_ID, source_id_of
from service.pipelines.control.sources import Run, Sources
from service.pipelines.insight import MOST_LINES, Insight
from service.pipelines.watching import Figures


class LastRun(msgspec.Struct):
    """What was asked for last."""

    run_id: str
    started_at: str
    started_by: str


class SourceMetrics(msgspec.Struct):
    """Sums over the pipelines of a source, since their workers took them up; `lag` in messages that
    targets have not yet."""

    source_id: str
    rows_read: int
    rows_written: int
    rows_failed: int
    rows_per_second: float
    lag: int
    last_record_at: str | None
    last_error: str | None
    last_run: LastRun | None


class LogList(msgspec.Struct):
    """The newest lines, oldest first."""

    data: list[LineDocument]


class ThedataInsight:
    """Metrics of sources, logs of pipelines."""

    def __init__(self, doorway: Doorway, insight: Insight, sources: Sources) -> None:
        self._doorway = doorway
        self._insight = insight
        self._sources = sources

    def routes(self) -> list[HTTPRouteHandler]:
        """The handlers."""
        return [
            *read("/api/v1/sources/{source_id:str}/metrics", self.metrics, _METRICS),
            *read("/api/v1/pipelines/{pipeline_id:str}/logs", self.logs, _LOGS),
        ]

    async def metrics(self, request: Request[Any, Any, Any]) -> Answer:
        """Rows read, written and failed, lag and the last run of a source."""
        reach = await self._doorway.reach(request, SEES_PIPELINES)
        source_id = source_id_of(request)
        fed, run = await self._sources.last_run(reach, source_id)
        figures = [(await self._insight.figures(reach, one))[1] for one in fed]
        return json_answer(200, _metrics(source_id, figures, run))

    async def logs(self, request: Request[Any, Any, Any]) -> Answer:
        """The newest lines of a pipeline's log, oldest first."""
        reach = await self._doorway.reach(request, SEES_PIPELINES)
        pipeline_id = pipeline_id_of(request)
        lines = await self._insight.logs(reach, pipeline_id, most=lines_asked(request.scope))
        return json_answer(200, LogList([line_document(pipeline_id, *line) for line in lines]))


def _metrics(
    source_id: str, pipelines: Sequence[Mapping[str, Figures]], run: Run | None
) -> SourceMetrics:
    read_in = [parts["source"] for parts in pipelines if "source" in parts]
    ways = [one for parts in pipelines for name, one in parts.items() if name != "source"]
    every = [*read_in, *ways]
    newest = max(every, key=lambda one: one.at, default=None)
    return SourceMetrics(
        source_id=source_id,
        rows_read=sum(one.records for one in read_in),
        rows_written=sum(one.records for one in ways),
        rows_failed=sum(one.refused for one in ways),
        rows_per_second=sum(one.per_second for one in read_in),
        lag=max((one.lag for one in ways), default=0),
        last_record_at=iso_if(max((one.last_record_at for one in every), default=0) or None),
        last_error=(newest.last_error or None) if newest else None,
        last_run=LastRun(run.id, iso(run.started_at), run.started_by) if run else None,
    )


_EXAMPLE = {
    "source_id": "a1b2c3d4-e5f6-4a5b-8c9d-0e1f2a3b4c5d",
    "rows_read": 1200,
    "rows_written": 1198,
    "rows_failed": 2,
    "rows_per_second": 40.0,
    "lag": 0,
    "last_record_at": "2025-11-19T10:31:00.000Z",
    "last_error": None,
    "last_run": None,
}
_METRICS = Said(
    "thedata",
    SEES_PIPELINES,
    [document(200, SourceMetrics, "The figures.", _EXAMPLE), *refused()],
    [SOURCE_ID],
)
_LOGS = Said(
    "thedata",
    SEES_PIPELINES,
    [document(200, LogList, "The lines."), *refused()],
    [
        PIPELINE_ID,
        text_parameter("limit", f"How many lines at most, 1 to {MOST_LINES}; 100 without."),
    ],
)
