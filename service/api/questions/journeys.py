"""`POST /api/v1/analytics/funnel` and its like: what users do one after the other."""

from collections.abc import Callable, Sequence
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
from service.query.journeys import words
from service.query.journeys.asked import Question
from service.query.journeys.funnel import read_funnel
from service.query.journeys.funnel_answer import FunnelDocument
from service.query.journeys.paths import PathsDocument, read_paths
from service.query.journeys.retention import RetentionDocument, read_retention
from service.query.journeys.sessions import SessionsDocument, read_sessions
from service.query.journeys.sheet import journey_table
from service.query.run import Questions


class Journeys:
    """Questions about journeys, for whoever may read an environment."""

    def __init__(self, asking: Asking, questions: Questions) -> None:
        self._asking = asking
        self._questions = questions

    def routes(self) -> list[HTTPRouteHandler]:
        """The handlers."""
        return [
            change("POST", "/api/v1/analytics/funnel", self.funnel, _FUNNEL),
            change("POST", "/api/v1/analytics/sessions", self.sessions, _SESSIONS),
            change("POST", "/api/v1/analytics/retention", self.retention, _RETENTION),
            change("POST", "/api/v1/analytics/paths", self.paths, _PATHS),
        ]

    async def funnel(self, request: Request[Any, Any, Any]) -> Answer:
        """Ask how many users take one step after the other, and how long that takes.

        What may be asked for: docs/api-journeys.md.
        """
        return await self._ask(request, read_funnel)

    async def sessions(self, request: Request[Any, Any, Any]) -> Answer:
        """Ask how many sessions there are, how long they last, and how many bounce.

        What may be asked for: docs/api-journeys.md.
        """
        return await self._ask(request, read_sessions)

    async def retention(self, request: Request[Any, Any, Any]) -> Answer:
        """Ask how many of those who began in a period come back in the periods after it.

        What may be asked for: docs/api-journeys.md.
        """
        return await self._ask(request, read_retention)

    async def paths(self, request: Request[Any, Any, Any]) -> Answer:
        """Ask which ways users take from an event on, or to it.

        What may be asked for: docs/api-journeys.md.
        """
        return await self._ask(request, read_paths)

    async def _ask(
        self, request: Request[Any, Any, Any], read: Callable[[bytes, int], Question]
    ) -> Answer:
        return await self._asking.ask_in_body(
            request, QUERIES, read, self._questions.journey, journey_table
        )


_TOLD: Sequence[tuple[str, Any]] = (
    ("as_of", str),
    ("cached", bool),
    ("age_ms", int),
    ("source", Literal["cache", "raw"]),
    ("rows_read", int | None),
    ("bytes_read", int | None),
    ("elapsed_ms", float),
)
"""What every answer says of itself."""


def _answer(document: type[msgspec.Struct]) -> type[msgspec.Struct]:
    """The form of an answer: a document, how old it is and where it comes from."""
    name = document.__name__.replace("Document", "Answer")
    about = {"__doc__": document.__doc__, "__module__": __name__}
    bases = (document,)
    return msgspec.defstruct(
        name, _TOLD, bases=bases, namespace=about, rename="camel", kw_only=True
    )


def _said(form: type, asked: Any, kind: type[msgspec.Struct], about: str, answered: Any) -> Said:
    told = {
        "asOf": "2024-01-30T12:00:00.000Z",
        "cached": False,
        "ageMs": 0,
        "source": "raw",
        "rowsRead": 48212,
        "bytesRead": None,
        "elapsedMs": 31.7,
    }
    return Said(
        "questions",
        QUERIES,
        [
            data(200, _answer(kind), about, answered | told),
            refusal(400, "The document is wrong; the message names the place and what may be."),
            refusal(401, "No API key or token, or not a valid one."),
            refusal(403, "The key has not the scope `read`."),
            *ASKING_ANSWERS,
            *FORM_ANSWERS,
            refusal(408, "The body did not arrive in time."),
            refusal(413, "More bytes than a question may have."),
            refusal(415, "The body is not JSON."),
            refusal(503, "Not counted yet, too big, or the store does not answer; `Retry-After`."),
        ],
        [*FORM_PARAMETERS, *ASKING_PARAMETERS],
        body_of("The question.", json=(_schema(form), asked)),
        TABLES,
    )


def _schema(form: type) -> dict[str, Any]:
    """The form as JSON Schema. Filters hold filters, so it refers to where it stands itself."""
    name = form.__name__
    here = f"#/paths/~1api~1v1~1analytics~1{name.lower()}/post/requestBody/content/"
    template = here + "application~1json/schema/$defs/{name}"
    _, named = msgspec.json.schema_components([form], ref_template=template)
    return {**named[name], "title": name, "$defs": named}


_RANGE = {"start": "2024-01-23T12:00:00Z", "end": "2024-01-30T12:00:00Z"}
_TIMES = {"p50": 41.5, "p90": 322.0, "p95": 1804.0}
_FUNNEL = _said(
    words.Funnel,
    {
        "steps": [
            {"event": "page_view"},
            {
                "event": "add_to_cart",
                "filters": [{"op": "gt", "field": "payload.price", "value": 5}],
            },
        ],
        "window": "1d",
        "dimensions": ["payload.country"],
        "range": "7d",
    },
    FunnelDocument,
    "The steps.",
    {
        "range": _RANGE,
        "rows": [
            {
                "dimensions": {"payload.country": "DE"},
                "steps": [
                    {"name": "page_view", "users": 812, "share": 1.0, "shareOfPrevious": 1.0},
                    {
                        "name": "add_to_cart",
                        "users": 203,
                        "share": 0.25,
                        "shareOfPrevious": 0.25,
                        "secondsFromFirst": _TIMES,
                        "secondsFromPrevious": _TIMES,
                    },
                ],
            }
        ],
    },
)
_SESSIONS = _said(
    words.Sessions,
    {"gap": "30m", "dimensions": ["time"], "interval": "1d", "range": "7d", "tz": "Europe/Paris"},
    SessionsDocument,
    "The sessions.",
    {
        "range": _RANGE,
        "rows": [
            {
                "dimensions": {"time": "2024-01-22T23:00:00Z"},
                "metrics": {
                    "sessions": 412,
                    "users": 377,
                    "events": 2781,
                    "bounces": 103,
                    "bounceRate": 0.25,
                    "eventsPerSession": 6.75,
                    "seconds": {"mean": 294.1, "p50": 121.0, "p90": 800.5, "p95": 1310.25},
                },
            }
        ],
    },
)
_RETENTION = _said(
    words.Retention,
    {
        "start": {"event": "signup"},
        "return": {"event": "purchase"},
        "period": "week",
        "tz": "Europe/Paris",
        "range": {"start": "2024-01-01T00:00:00+01:00", "end": "2024-01-15T00:00:00+01:00"},
    },
    RetentionDocument,
    "The cohorts.",
    {
        "range": {"start": "2023-12-31T23:00:00Z", "end": "2024-01-14T23:00:00Z"},
        "cohorts": [
            {
                "time": "2023-12-31T23:00:00Z",
                "users": 80,
                "returned": [40, 20],
                "shares": [0.5, 0.25],
            },
            {"time": "2024-01-07T23:00:00Z", "users": 20, "returned": [5], "shares": [0.25]},
        ],
        "totals": {"users": [100, 80], "returned": [45, 20], "shares": [0.45, 0.25]},
    },
)
_PATHS = _said(
    words.Paths,
    {"to": {"event": "purchase"}, "depth": 3, "collapse": True, "limit": 1, "range": "7d"},
    PathsDocument,
    "The paths.",
    {
        "range": _RANGE,
        "paths": [
            {
                "steps": ["search", "product", "purchase"],
                "journeys": 120,
                "users": 97,
                "share": 0.6,
            }
        ],
        "other": {"paths": 17, "journeys": 80},
    },
)
