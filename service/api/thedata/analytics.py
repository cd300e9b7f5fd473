"""`/v1/analytics/events`, `/v1/analytics/metrics` and `/v1/analytics/realtime`."""

from typing import Any

import msgspec
from litestar import Request
from litestar.handlers import HTTPRouteHandler

from service.api.answers import Answer, iso, json_answer
from service.api.guards import QUERIES
from service.api.openapi import Said, document, read, text_parameter
from service.api.served import Asking
from service.api.thedata.asked import (
    COUNTS,
    LIVE,
    OF_NUMBERS,
    Asked,
    Live,
    asked_events,
    asked_live,
    asked_metrics,
)
from service.api.thedata.problems import Refusal
from service.query.cache import Served
from service.query.catalog import INTERVALS
from service.query.language.answer import QueryDocument
from service.query.language.question import TIME, Question
from service.query.run import Questions


class Aggregated(msgspec.Struct):
    """The value of each bucket and group, of all of them, and how many events they are of.

    A row of `data` has `timestamp`, `value`, what it is grouped by, and the `event_type` if there
    is but one.
    """

    data: list[dict[str, str | float | bool | None]]
    aggregations: dict[str, float | None]
    total: float | None
    as_of: str
    more: bool
    """Whether there are more groups than `limit`."""


class Window(msgspec.Struct):
    """Values of the time up to `timestamp`, by the names that were asked for."""

    timestamp: str
    window: str
    data: dict[str, float | None]
    as_of: str


class Analytics:
    """This face's questions, asked in the query language."""

    def __init__(self, asking: Asking, questions: Questions) -> None:
        self._asking = asking
        self._questions = questions

    def routes(self) -> list[HTTPRouteHandler]:
        """The handlers."""
        return [
            *read("/v1/analytics/events", self.events, _EVENTS),
            *read("/v1/analytics/metrics", self.metrics, _METRICS),
            *read("/v1/analytics/realtime", self.realtime, _REALTIME),
        ]

    async def events(self, request: Request[Any, Any, Any]) -> Answer:
        """Events, users or sessions by time, and by what else you like."""
        return _aggregated(*await self._asking.ask_for(request, QUERIES, asked_events, self._one))

    async def metrics(self, request: Request[Any, Any, Any]) -> Answer:
        """A number of the properties, or an ingested metric, by time, and by what else you like."""
        return _aggregated(*await self._asking.ask_for(request, QUERIES, asked_metrics, self._one))

    async def realtime(self, request: Request[Any, Any, Any]) -> Answer:
        """What goes on in a window that slides to now; at most a second old."""
        asked, (whole, by_type) = await self._asking.ask_for(
            request, QUERIES, asked_live, self._both
        )
        found = {**_metrics(whole), **_counts_by_type(by_type)}
        values = {name: found.get(metric, 0) for name, metric in asked.names.items()}
        as_of = min(served.as_of for served in (whole, by_type) if served)
        window = Window(iso(asked.now), asked.window, values, iso(as_of))
        return json_answer(200, window, (b"cache-control", b"private, max-age=1"))

    async def _one(self, tenant: str, asked: Asked, at_least: int) -> Served:
        return await self._questions.query(tenant, asked.question, at_least)

    async def _both(
        self, tenant: str, asked: Live, at_least: int
    ) -> tuple[Served | None, Served | None]:
        async def ask(question: Question | None) -> Served | None:
            if question is None:
                return None
            return await self._questions.query(tenant, question, at_least)

        return await ask(asked.whole), await ask(asked.by_type)


_decode = msgspec.json.Decoder(QueryDocument).decode


def _aggregated(asked: Asked, served: Served) -> Answer:
    found = _decode(served.document)
    totals = found.totals.metrics if found.totals else {}
    shared = {} if asked.event_type is None else {"event_type": asked.event_type}
    data = [
        {"timestamp": row.dimensions[TIME], **shared, **_group(asked, row.dimensions)}
        | {"value": row.metrics[asked.metric]}
        for row in found.rows
    ]
    aggregations = {asked.aggregation: totals[asked.metric]}
    answer = Aggregated(
        data, aggregations, totals[asked.count], iso(served.as_of), found.cursor is not None
    )
    return json_answer(200, answer)


def _group(asked: Asked, dimensions: dict[str, Any]) -> dict[str, Any]:
    if asked.group is None or asked.dimension is None:
        return {}
    return {asked.group: dimensions[asked.dimension]}


def _metrics(served: Served | None) -> dict[str, int | float | None]:
    if served is None:
        return {}
    [row] = _decode(served.document).rows
    return row.metrics


def _counts_by_type(served: Served | None) -> dict[str, int | float | None]:
    if served is None:
        return {}
    rows = _decode(served.document).rows
    return {f":{row.dimensions['eventType']}": row.metrics["events"] for row in rows}


_REFUSALS = [
    document(400, Refusal, "An unknown parameter or value; the details name it."),
    document(401, Refusal, "No API key, or not a valid one."),
    document(403, Refusal, "The key has not the scope `read`."),
    document(404, Refusal, "There is no such receipt."),
    document(429, Refusal, "More than the caller's tier allows; see `Retry-After`."),
    document(503, Refusal, "Not counted yet, too big, or the store does not answer."),
]
_AFTER = text_parameter("after", "A receipt: answer when its events are counted.")
_SHARED = [
    text_parameter("start_time", "From here, ISO 8601; required."),
    text_parameter("end_time", "Up to here, ISO 8601; required."),
    text_parameter("event_type", "This type alone, exactly."),
    text_parameter("source", "This source alone, exactly."),
    text_parameter("group_by", "event_type, source, user_id, properties.… or metadata.…."),
    text_parameter("interval", "Length of a bucket.", list(INTERVALS)),
    text_parameter("tz", "IANA time zone that buckets are aligned to; UTC by default."),
    text_parameter("limit", "How many groups, 1 to 1000; 100 by default."),
    _AFTER,
]
_DATA = {
    "data": [{"timestamp": "2024-02-12T00:00:00Z", "event_type": "page_view", "value": 120}],
    "aggregations": {"count": 2880},
    "total": 2880,
    "as_of": "2024-02-13T00:00:00.000Z",
    "more": False,
}
_EVENTS = Said(
    "thedata",
    QUERIES,
    [document(200, Aggregated, "The buckets.", _DATA), *_REFUSALS],
    [text_parameter("aggregation", "What is counted; count by default.", list(COUNTS)), *_SHARED],
)
_METRICS = Said(
    "thedata",
    QUERIES,
    [
        document(
            200,
            Aggregated,
            "The buckets.",
            {
                **_DATA,
                "data": [{"timestamp": "2024-02-12T00:00:00Z", "value": 52.5}],
                "aggregations": {"avg": 48.25},
            },
        ),
        *_REFUSALS,
    ],
    [
        text_parameter("metric_name", "A number of the properties, or a metric; required."),
        text_parameter("labels", "Values of properties or labels, as a JSON object."),
        text_parameter("aggregation", "Of the numbers; avg by default.", list(OF_NUMBERS)),
        *_SHARED,
    ],
)
_REALTIME = Said(
    "thedata",
    QUERIES,
    [
        document(
            200,
            Window,
            "The values.",
            {
                "timestamp": "2024-02-12T10:00:00.250Z",
                "window": "5m",
                "data": {"active_users": 1250, "page_views": 5400},
                "as_of": "2024-02-12T10:00:00.000Z",
            },
        ),
        *_REFUSALS,
    ],
    [
        text_parameter("window", "10s to 24h, like 1m, 5m, 15m, 1h; 5m by default."),
        text_parameter(
            "metrics",
            f"With commas between: {', '.join(LIVE)}, page_views, event types, numbers like "
            "avg(price); active_users,events by default.",
        ),
        _AFTER,
    ],
)
