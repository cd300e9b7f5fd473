"""`/api/v1/analytics/events/export`: events as they are, as many as there are."""

from typing import Any

import msgspec
from litestar import Request
from litestar.handlers import HTTPRouteHandler

from service.api.answers import Answer, Header, headers_of, iso
from service.api.bodies import JSON as JSON_TYPE
from service.api.bodies import content_type, read_body
from service.api.downloads import Download
from service.api.guards import QUERIES, Gate
from service.api.openapi import Said, body_of, change, document, read, refusal, text_parameter
from service.api.served import (
    BODY_SECONDS,
    LARGEST_QUESTION,
    Asking,
    while_heard,
)
from service.api.sheets import FORM_ANSWERS, file_headers, form_asked
from service.errors import InvalidInput
from service.events import now_ms
from service.formats.choice import ARROW, CSV, NDJSON, PARQUET, Format
from service.query.exports import Exports
from service.query.language.exporting import Export, Wanted, parse_export, read_export

FORMS = (NDJSON, CSV, PARQUET, ARROW)
_PATH = "/api/v1/analytics/events/export"
_NAME = "events"
_FRESH: Header = (b"cache-control", b"no-store")


class ExportRoutes:
    """The events of the caller's environment, for him to keep."""

    def __init__(self, gate: Gate, asking: Asking, exports: Exports) -> None:
        self._gate = gate
        self._asking = asking
        self._exports = exports

    def routes(self) -> list[HTTPRouteHandler]:
        """The handlers."""
        return [
            *read(_PATH, self.by_parameters, _BY_PARAMETERS),
            change("POST", _PATH, self.by_document, _BY_DOCUMENT),
        ]

    async def by_parameters(self, request: Request[Any, Any, Any]) -> Answer:
        """Download events.

        In the order of their times, as NDJSON, CSV, Parquet or an Arrow stream. Each event has its
        `cursor`: a download that broke off goes on with what follows the last whole one.
        """
        scope = request.scope
        headers = headers_of(scope)
        tenant = (await self._gate.caller(headers, QUERIES)).tenant
        raw, _ = await self._asking.at_least(tenant, scope["query_string"])
        form, raw = form_asked(raw, headers, FORMS)
        wanted = parse_export(raw, now_ms())
        if scope["method"] == "HEAD":
            return Answer(200, b"", *self._about(form, wanted))
        return await self._download(request, tenant, form, wanted)

    async def by_document(self, request: Request[Any, Any, Any]) -> Answer:
        """Download the events that a document asks for.

        It has the `filters` and the `range` of a query, `limit` and `cursor`.
        """
        scope = request.scope
        headers = headers_of(scope)
        tenant = (await self._gate.caller(headers, QUERIES)).tenant
        content_type(headers, JSON_TYPE)
        raw, _ = await self._asking.at_least(tenant, scope["query_string"])
        form, raw = form_asked(raw, headers, FORMS)
        if raw:
            about = f"`{min(raw)}` is not a parameter here; there are after, format"
            raise InvalidInput(about, min(raw))
        body = await read_body(headers, request.receive, LARGEST_QUESTION, BODY_SECONDS)
        return await self._download(request, tenant, form, read_export(body, now_ms()))

    async def _download(
        self, request: Request[Any, Any, Any], tenant: str, form: Format, wanted: Wanted
    ) -> Answer:
        """The answer, once it is known that there is room for it."""
        about = self._about(form, wanted)
        pages = self._exports.pages(tenant, wanted)
        first = await while_heard(request.receive, anext(pages))
        return Download(form, first, pages, *about)

    def _about(self, form: Format, wanted: Wanted) -> list[Header]:
        """What is said of the file; how new it is, a part that is not the first does not know."""
        as_of = (b"x-as-of", iso(self._exports.as_of).encode())
        return [*file_headers(form, _NAME), _FRESH, *([] if wanted.after else [as_of])]


def _schema() -> dict[str, Any]:
    _, named = msgspec.json.schema_components([Export], ref_template=_HERE + "/$defs/{name}")
    return {**named["Export"], "title": "Export", "$defs": named}


_HERE = (
    "#/paths/~1api~1v1~1analytics~1events~1export/post/requestBody/content/application~1json/schema"
)
_ASKED = {
    "filters": [{"op": "is", "field": "eventType", "value": "departed"}],
    "range": {"start": "2024-01-01T00:00:00Z", "end": "2024-02-01T00:00:00Z"},
    "limit": 100_000,
}
_RESPONSES = [
    document(200, bytes, "The events.", media_type=NDJSON.media),
    refusal(400, "A parameter or field is wrong; the message names it."),
    refusal(401, "No API key or token, or not a valid one."),
    refusal(403, "The key has not the scope `read`."),
    refusal(404, "There is no such receipt."),
    *FORM_ANSWERS,
    refusal(429, "Too many exports of this environment go on; see `Retry-After`."),
    refusal(503, "Not counted yet, or the store does not answer; see `Retry-After`."),
]
_FORM = text_parameter("format", "As which; before `Accept`.", [form.name for form in FORMS])
_AFTER = text_parameter("after", "A receipt: begin when its events are counted, within 5 seconds.")
_BY_PARAMETERS = Said(
    "questions",
    QUERIES,
    _RESPONSES,
    [
        text_parameter("range", "How long up to now: 15m, 24h, 7d, 4w; 24h by default."),
        text_parameter("start", "Instead of `range`: from here, ISO 8601."),
        text_parameter("end", "Instead of `range`: up to here, ISO 8601."),
        text_parameter("eventType", "This type alone, exactly."),
        text_parameter("userId", "Users whose id contains this text, literally."),
        text_parameter("source", "This source alone, exactly."),
        text_parameter("limit", "How many events at most; all by default."),
        text_parameter("cursor", "Of the last event that came: those after it."),
        _FORM,
        _AFTER,
    ],
    forms=FORMS[1:],
)
_BY_DOCUMENT = Said(
    "questions",
    QUERIES,
    [
        *_RESPONSES,
        refusal(408, "The body did not arrive in time."),
        refusal(413, "More bytes than a document may have."),
        refusal(415, "The body is not JSON."),
    ],
    [_FORM, _AFTER],
    body_of("Which events.", json=(_schema(), _ASKED)),
    FORMS[1:],
)
