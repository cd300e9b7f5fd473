"""`GET /api/v1/analytics/numbers`: a numeric payload field, summed up."""

from typing import Any, Literal

from litestar import Request
from litestar.handlers import HTTPRouteHandler

from service.api.answers import Answer
from service.api.guards import ASKS
from service.api.openapi import Said, data, read, refusal, text_parameter
from service.api.served import ASKING_ANSWERS, ASKING_PARAMETERS, Asking
from service.query import catalog
from service.query.documents import NumbersDocument
from service.query.parameters import parse_numbers
from service.query.run import Questions


class NumbersAnswer(NumbersDocument, rename="camel"):
    """The rows, and how old they are: all events acknowledged up to `asOf` are in them."""

    as_of: str
    cached: bool
    age_ms: int
    source: Literal["cache", "rollup", "raw", "mixed"]
    rows_read: int | None
    bytes_read: int | None
    elapsed_ms: float


class Numbers:
    """Count, sum, mean and extremes, of the key's environment or the public one."""

    def __init__(self, asking: Asking, questions: Questions) -> None:
        self._asking = asking
        self._questions = questions

    def routes(self) -> list[HTTPRouteHandler]:
        """The handlers."""
        return read("/api/v1/analytics/numbers", self.numbers, _NUMBERS)

    async def numbers(self, request: Request[Any, Any, Any]) -> Answer:
        """Sum up a numeric field of the payload."""
        return await self._asking.ask(request, parse_numbers, self._questions.numbers)


_EXAMPLE = {
    "name": "dep_delay",
    "by": "userId",
    "timeRange": {"start": "2013-01-01T05:00:00Z", "end": "2014-01-01T05:00:00Z"},
    "rows": [{"key": "UA", "count": 57979, "sum": 701898.0, "avg": 12.1, "min": -20.0, "max": 483}],
    "asOf": "2024-01-30T12:00:00.000Z",
    "cached": False,
    "ageMs": 0,
    "source": "raw",
    "rowsRead": 48212,
    "bytesRead": None,
    "elapsedMs": 4.2,
}
_NUMBERS = Said(
    "questions",
    ASKS,
    [
        data(200, NumbersAnswer, "The numbers.", _EXAMPLE),
        refusal(400, "An unknown parameter or value; the message names it."),
        refusal(401, "These metrics are not public, or the key is not valid."),
        *ASKING_ANSWERS,
        refusal(503, "Not counted yet, or the store does not answer; see `Retry-After`."),
    ],
    [
        text_parameter("name", "The field of the payload."),
        text_parameter("by", "One row for each value of this.", list(catalog.GROUPS)),
        text_parameter("timeRange", "A range that ends now.", list(catalog.RANGES)),
        text_parameter("start", "Instead of `timeRange`: from here, ISO 8601."),
        text_parameter("end", "Instead of `timeRange`: up to here, ISO 8601."),
        text_parameter("eventType", "This type alone, exactly."),
        text_parameter("userId", "Users whose id contains this text, literally."),
        text_parameter("limit", "How many rows, 1 to 1000; 100 by default."),
        *ASKING_PARAMETERS,
    ],
)
