"""`POST /api/v1/analytics/query`: whatever can be asked in the query language."""

from typing import Any, Literal

import msgspec
from litestar import Request
from litestar.handlers import HTTPRouteHandler

from service.api.answers import Answer
from service.api.guards import QUERIES
from service.api.openapi import Said, body_of, change, data, refusal
from service.api.served import ASKING_ANSWERS, ASKING_PARAMETERS, Asking
from service.api.sheets import FORM_ANSWERS, FORM_PARAMETERS
from service.formats.choice import TABLES
from service.query.language.answer import Row, Totals
from service.query.language.reading import read_question
from service.query.language.sheet import query_table
from service.query.language.words import Query, Span
from service.query.run import Questions


class QueryAnswer(msgspec.Struct, rename="camel"):
    """The rows, how old they are and where they come from."""

    range: Span
    rows: list[Row]
    cursor: str | None
    as_of: str
    cached: bool
    age_ms: int
    source: Literal["cache", "rollup", "raw", "mixed"]
    rows_read: int | None
    bytes_read: int | None
    elapsed_ms: float
    compare: Span | None = None
    totals: Totals | None = None
    other: list[Row] | None = None


class QueryRoute:
    """Queries, for whoever may read an environment."""

    def __init__(self, asking: Asking, questions: Questions) -> None:
        self._asking = asking
        self._questions = questions

    def routes(self) -> list[HTTPRouteHandler]:
        """The handlers."""
        return [change("POST", "/api/v1/analytics/query", self.query, _QUERY)]

    async def query(self, request: Request[Any, Any, Any]) -> Answer:
        """Ask for metrics of events, by what and of which you like.

        Metrics, dimensions, filters, ranges and what else may be asked for: docs/api-query.md.
        The rows may come as CSV, NDJSON, Parquet or an Arrow stream: `?format=`, or `Accept`.
        """
        return await self._asking.ask_in_body(
            request, QUERIES, read_question, self._questions.query, query_table
        )


def _schema() -> dict[str, Any]:
    """The grammar as JSON Schema. Filters hold filters, so it refers to where it stands itself."""
    _, named = msgspec.json.schema_components([Query], ref_template=_HERE + "/$defs/{name}")
    return {**named["Query"], "title": "Query", "$defs": named}


_HERE = "#/paths/~1api~1v1~1analytics~1query/post/requestBody/content/application~1json/schema"
_ASKED = {
    "metrics": ["events", "users"],
    "dimensions": ["time", "payload.browser"],
    "filters": [{"op": "is", "field": "eventType", "value": "page_view"}],
    "range": "7d",
    "interval": "1d",
    "limit": 5,
}
_EXAMPLE = {
    "range": {"start": "2024-01-23T12:00:00Z", "end": "2024-01-30T12:00:00Z"},
    "rows": [
        {
            "dimensions": {"time": "2024-01-23T00:00:00Z", "payload.browser": "Firefox"},
            "metrics": {"events": 812, "users": 64},
        }
    ],
    "cursor": None,
    "asOf": "2024-01-30T12:00:00.000Z",
    "cached": False,
    "ageMs": 0,
    "source": "raw",
    "rowsRead": 48212,
    "bytesRead": None,
    "elapsedMs": 4.2,
}
_QUERY = Said(
    "questions",
    QUERIES,
    [
        data(200, QueryAnswer, "The rows.", _EXAMPLE),
        refusal(400, "The query is wrong; the message names the place and what is allowed there."),
        refusal(401, "No API key or token, or not a valid one."),
        refusal(403, "The key has not the scope `read`."),
        *ASKING_ANSWERS,
        *FORM_ANSWERS,
        refusal(408, "The body did not arrive in time."),
        refusal(413, "More bytes than a query may have."),
        refusal(415, "The body is not JSON."),
        refusal(503, "Not counted yet, too big, or the store does not answer; see `Retry-After`."),
    ],
    [*FORM_PARAMETERS, *ASKING_PARAMETERS],
    body_of("The query.", json=(_schema(), _ASKED)),
    TABLES,
)
