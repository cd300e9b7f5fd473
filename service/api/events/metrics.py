"""`GET /api/v1/analytics/metrics`: the dashboard's document."""

from typing import Any, Literal

from litestar import Request
from litestar.handlers import HTTPRouteHandler

from service.api.answers import Answer
from service.api.guards import READS
from service.api.openapi import Said, data, read, refusal, text_parameter
from service.api.served import ASKING_ANSWERS, ASKING_PARAMETERS, Asking
from service.query import catalog
from service.query.documents import MetricsDocument
from service.query.parameters import parse_metrics
from service.query.run import Questions


class MetricsAnswer(MetricsDocument, rename="camel"):
    """The document, and how old it is: all events acknowledged up to `asOf` are in it."""

    as_of: str
    cached: bool
    age_ms: int
    source: Literal["cache", "rollup", "raw", "mixed"]
    rows_read: int | None
    bytes_read: int | None
    elapsed_ms: float


class Metrics:
    """Counts by type, user and time, of the key's environment or the public one."""

    def __init__(self, asking: Asking, questions: Questions) -> None:
        self._asking = asking
        self._questions = questions

    def routes(self) -> list[HTTPRouteHandler]:
        """The handlers."""
        return read("/api/v1/analytics/metrics", self.metrics, _METRICS)

    async def metrics(self, request: Request[Any, Any, Any]) -> Answer:
        """Counts by type, user and time.

        Time is event time, and both filters hold for every block. Without a key the environment
        whose metrics are public answers, if there is one.
        """
        return await self._asking.ask(request, parse_metrics, self._questions.metrics)


_EXAMPLE = {
    "totalEvents": 15000,
    "timeRange": {"start": "2024-01-29T12:00:00Z", "end": "2024-01-30T12:00:00Z"},
    "eventsByType": [{"eventType": "page_view", "count": 8000, "percentage": 53.3}],
    "topUsers": [
        {
            "userId": "user_abc123",
            "eventCount": 150,
            "lastEventAt": "2024-01-30T11:59:00Z",
            "eventTypes": ["page_view", "click", "purchase"],
        }
    ],
    "eventsOverTime": [{"timestamp": "2024-01-30T11:00:00Z", "count": 1000}],
    "avgEventsPerUser": 30.5,
    "uniqueUsers": 500,
    "uniqueSessions": 800,
    "asOf": "2024-01-30T12:00:00.000Z",
    "cached": False,
    "ageMs": 0,
    "source": "mixed",
    "rowsRead": None,
    "bytesRead": None,
    "elapsedMs": 4.2,
}
_METRICS = Said(
    "analytics",
    READS,
    [
        data(200, MetricsAnswer, "The document.", _EXAMPLE),
        refusal(400, "An unknown parameter or value; the message names it."),
        refusal(401, "These metrics are not public, or the key is not valid."),
        *ASKING_ANSWERS,
        refusal(503, "Not counted yet, or the store does not answer; see `Retry-After`."),
    ],
    [
        text_parameter("timeRange", "A range that ends now.", list(catalog.RANGES)),
        text_parameter("start", "Instead of `timeRange`: from here, ISO 8601."),
        text_parameter("end", "Instead of `timeRange`: up to here, ISO 8601."),
        text_parameter("interval", "Length of a bucket.", list(catalog.INTERVALS)),
        text_parameter("tz", "IANA time zone that buckets are aligned to; UTC by default."),
        text_parameter("eventType", "This type alone, exactly."),
        text_parameter("userId", "Users whose id contains this text, literally."),
        text_parameter("limit", "How many of the busiest users, 1 to 100; 10 by default."),
        *ASKING_PARAMETERS,
    ],
)
