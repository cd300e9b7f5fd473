"""`POST /api/v1/analytics/sql`: read-only SQL over an environment's events and customers."""

import asyncio
from collections.abc import Awaitable
from typing import Any, Literal

import msgspec
from litestar import Request
from litestar.handlers import HTTPRouteHandler

from service.api.answers import Answer
from service.api.guards import ASKS_SQL
from service.api.openapi import Said, body_of, change, data, refusal
from service.api.served import ASKING_ANSWERS, ASKING_PARAMETERS, Asking
from service.api.sheets import FORM_ANSWERS, FORM_PARAMETERS
from service.formats.choice import TABLES
from service.query.run import Questions
from service.query.sql.answering import SqlRows, sql_table
from service.query.sql.reading import Sql, SqlDocument, read_sql


class SqlAnswer(SqlRows, rename="camel"):
    """The rows, how old they are and what they took."""

    as_of: str
    cached: bool
    age_ms: int
    source: Literal["cache", "raw"]
    rows_read: int | None
    bytes_read: int | None
    elapsed_ms: float


class SqlRoute:
    """SQL, for whoever has the scope `sql`."""

    def __init__(self, asking: Asking, questions: Questions) -> None:
        self._asking = asking
        self._questions = questions

    def routes(self) -> list[HTTPRouteHandler]:
        """The handlers."""
        return [change("POST", "/api/v1/analytics/sql", self.sql, _SQL)]

    async def sql(self, request: Request[Any, Any, Any]) -> Answer:
        """Ask in SQL, of the environment's own events and customers.

        The dialect is DuckDB's, on whatever engine: docs/api-sql.md. The rows may come as CSV,
        NDJSON, Parquet or an Arrow stream: `?format=`, or `Accept`.
        """
        return await self._asking.ask_in_body(
            request, ASKS_SQL, _read_aside, self._questions.sql, sql_table
        )


def _read_aside(body: bytes, now: int) -> Awaitable[Sql]:
    """To read a long query takes a tenth of a second, in which others are to be answered."""
    return asyncio.to_thread(read_sql, body, now)


_ASKED = {
    "query": "SELECT event_type, count(*) AS events FROM events WHERE timestamp >= $since "
    "GROUP BY event_type ORDER BY events DESC",
    "parameters": {"since": "2024-01-23"},
    "limit": 100,
}
_EXAMPLE = {
    "columns": [{"name": "event_type", "type": "text"}, {"name": "events", "type": "whole"}],
    "rows": [["page_view", 812], ["click", 64]],
    "truncated": False,
    "asOf": "2024-01-30T12:00:00.000Z",
    "cached": False,
    "ageMs": 0,
    "source": "raw",
    "rowsRead": 48212,
    "bytesRead": None,
    "elapsedMs": 4.2,
}
_SQL = Said(
    "questions",
    ASKS_SQL,
    [
        data(200, SqlAnswer, "The rows.", _EXAMPLE),
        refusal(400, "The query makes no sense or is not allowed; the message says where."),
        refusal(401, "No API key or token, or not a valid one."),
        refusal(403, "The key has not the scope `sql`."),
        *ASKING_ANSWERS,
        *FORM_ANSWERS,
        refusal(408, "The body did not arrive in time."),
        refusal(413, "More bytes than a query may have."),
        refusal(415, "The body is not JSON."),
        refusal(503, "Not counted yet, too big, or the store does not answer; see `Retry-After`."),
    ],
    [*FORM_PARAMETERS, *ASKING_PARAMETERS],
    body_of("The query.", json=(msgspec.json.schema(SqlDocument), _ASKED)),
    TABLES,
)
