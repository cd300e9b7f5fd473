"""`/api/v1/analytics/saved`: questions that have a name, and their answers."""

import time
from functools import partial
from typing import Any

import msgspec
from litestar import Request, Response
from litestar.handlers import HTTPRouteHandler

from service.accounts.saved import LARGEST_DEFINITION, Saved, SavedQuestions
from service.api.answers import NO_CONTENT, Answer, Success, headers_of, iso, json_answer
from service.api.bodies import JSON as JSON_TYPE
from service.api.bodies import content_type, read_body
from service.api.guards import ADMINISTERS, QUERIES, Gate
from service.api.openapi import Said, body_of, change, data, document, read, refusal, text_parameter
from service.api.rate_limits import Turnstile
from service.api.served import (
    ASKING_ANSWERS,
    ASKING_PARAMETERS,
    BODY_SECONDS,
    Asking,
    while_heard,
)
from service.api.sheets import FORM_ANSWERS, SHEETS, form_asked
from service.events import now_ms
from service.formats.choice import DRAWN, JSON, Format
from service.formats.drawn import Drawing
from service.formats.encoders import encoded
from service.query.journeys.sheet import journey_table
from service.query.language.sheet import query_table
from service.query.saved.definition import KEPT, Definition, kept, read_definition, written
from service.query.saved.shelf import Asked, Shelf

FORMS = (*SHEETS, *DRAWN)
_PATH = "/api/v1/analytics/saved"


class SavedReport(msgspec.Struct, rename="camel"):
    """A saved question: its name, its definition, and when it was made and changed."""

    name: str
    definition: Definition
    created_at: str
    updated_at: str


class SavedList(msgspec.Struct):
    """The saved questions of an environment, by name."""

    saved: list[SavedReport]


class SavedRoutes:
    """The saved questions of the caller's environment: whoever reads asks, owners change."""

    def __init__(
        self, gate: Gate, turnstile: Turnstile, asking: Asking, saved: SavedQuestions, shelf: Shelf
    ) -> None:
        self._gate = gate
        self._turnstile = turnstile
        self._saved = saved
        self._shelf = shelf
        self._asking: dict[int | None, Asking] = {None: asking}
        self._asking |= {seconds: asking.keeping(seconds) for seconds in KEPT}

    def routes(self) -> list[HTTPRouteHandler]:
        """The handlers."""
        one = f"{_PATH}/{{name:str}}"
        return [
            *read(_PATH, self.list_all, _LIST),
            *read(one, self.answer, _ANSWER),
            *read(f"{one}/definition", self.definition, _ONE),
            change("PUT", one, self.put, _PUT),
            change("DELETE", one, self.remove, _REMOVE),
        ]

    async def list_all(self, request: Request[Any, Any, Any]) -> Answer:
        """List the saved questions."""
        caller = await self._gate.caller(headers_of(request.scope), QUERIES)
        found = await self._saved.list(caller.tenant)
        return json_answer(200, Success(data=SavedList([_report(one) for one in found])))

    async def definition(self, request: Request[Any, Any, Any]) -> Answer:
        """One saved question: what it asks, and its parameters."""
        caller = await self._gate.caller(headers_of(request.scope), QUERIES)
        found = await self._saved.find(caller.tenant, _name(request))
        return json_answer(200, Success(data=_report(found)))

    async def put(self, request: Request[Any, Any, Any]) -> Answer:
        """Give a question a name, or the name another question.

        `{"param": "country"}` in the question is the place of the parameter `country`. Everybody
        who asks by the name gets the new one within a second.
        """
        headers = headers_of(request.scope)
        caller = await self._gate.caller(headers, ADMINISTERS)
        by = caller.actor(self._turnstile.address_of(request.scope))
        content_type(headers, JSON_TYPE)
        body = await read_body(headers, request.receive, LARGEST_DEFINITION, BODY_SECONDS)
        text = written(read_definition(body, now_ms()))
        found, is_new = await self._saved.put(caller.tenant, _name(request), text, by)
        return json_answer(201 if is_new else 200, Success(data=_report(found)))

    async def remove(self, request: Request[Any, Any, Any]) -> Response[None]:
        """Take a name away."""
        caller = await self._gate.caller(headers_of(request.scope), ADMINISTERS)
        by = caller.actor(self._turnstile.address_of(request.scope))
        await self._saved.remove(caller.tenant, _name(request), by)
        return NO_CONTENT

    async def answer(self, request: Request[Any, Any, Any]) -> Answer:
        """Ask a saved question.

        Its parameters stand in the URL. Beside the forms of every query there are `prometheus`
        (gauges), `grafana` (rows for its Infinity source) and `grafana-series` (for its JSON
        source).
        """
        began, scope = time.perf_counter(), request.scope
        headers = headers_of(scope)
        tenant = (await self._gate.caller(headers, QUERIES)).tenant
        raw, at_least = await self._asking[None].at_least(tenant, scope["query_string"])
        name, given = _name(request), {key: raw[key] for key in raw if key != "format"}
        asked = await self._shelf.asked(tenant, name, given, now_ms())
        form, _ = form_asked(raw, headers, FORMS if asked.is_query else SHEETS)
        served = await while_heard(request.receive, self._shelf.answer(tenant, asked, at_least))
        asking = self._asking[asked.definition.cache_seconds]
        if form is JSON:
            return asking.document(served, headers, began)
        table = partial(query_table if asked.is_query else journey_table, asked.question)
        encode = encoded if form in SHEETS else _drawing(name, asked).encoded
        return await asking.file(served, headers, form, table, name, encode)


def _drawing(name: str, asked: Asked) -> Drawing:
    return Drawing(name, asked.question.dimensions)


def _name(request: Request[Any, Any, Any]) -> str:
    return str(request.scope["path_params"]["name"])


def _report(saved: Saved) -> SavedReport:
    times = iso(saved.created_at), iso(saved.updated_at)
    return SavedReport(saved.name, kept(saved.definition), *times)


def _schema() -> dict[str, Any]:
    _, named = msgspec.json.schema_components([Definition], ref_template=_HERE + "/$defs/{name}")
    return {**named["Definition"], "title": "Definition", "$defs": named}


def _media(form: Format) -> bool:
    return form.media != JSON.media


_HERE = (
    "#/paths/~1api~1v1~1analytics~1saved~1{name}/put/requestBody/content/application~1json/schema"
)
_DEFINED = {
    "question": {
        "metrics": ["events", "users"],
        "dimensions": ["payload.browser"],
        "filters": [{"op": "is", "field": "payload.country", "value": {"param": "country"}}],
        "range": {"param": "range"},
    },
    "parameters": {"country": {"type": "text"}, "range": {"type": "text", "default": "24h"}},
    "cacheSeconds": 60,
}
_REPORT = {
    "name": "browsers",
    "definition": _DEFINED,
    "createdAt": "2024-01-30T10:00:00.000Z",
    "updatedAt": "2024-01-30T10:00:00.000Z",
}
_NAME = text_parameter("name", "The name.", where="path")
_REFUSALS = [
    refusal(401, "No API key or token, or not a valid one."),
    refusal(403, "The key has not the scope `read`."),
    refusal(503, "The accounts' database does not answer; see `Retry-After`."),
]
_NONE = refusal(404, "There is no saved question of this name.")
_LIST = Said(
    "saved", QUERIES, [data(200, SavedList, "All of them.", {"saved": [_REPORT]}), *_REFUSALS]
)
_ONE = Said(
    "saved",
    QUERIES,
    [data(200, SavedReport, "The question.", _REPORT), *_REFUSALS, _NONE],
    [_NAME],
)
_PUT = Said(
    "saved",
    ADMINISTERS,
    [
        data(200, SavedReport, "The name has this question now.", _REPORT),
        data(201, SavedReport, "The name is new.", _REPORT),
        refusal(400, "The definition is wrong; the message names the place."),
        *_REFUSALS,
        refusal(408, "The body did not arrive in time."),
        refusal(413, "More bytes than a definition may have."),
        refusal(415, "The body is not JSON."),
    ],
    [_NAME],
    body_of("The definition.", json=(_schema(), _DEFINED)),
)
_REMOVE = Said(
    "saved",
    ADMINISTERS,
    [document(204, None, "The name is free."), *_REFUSALS, _NONE],
    [_NAME],
)
_ANSWER = Said(
    "saved",
    QUERIES,
    [
        data(200, dict[str, Any], "The answer, as the question gives it."),
        refusal(400, "A parameter is wrong or missing; the message names it."),
        *ASKING_ANSWERS,
        *_REFUSALS,
        refusal(404, "There is no saved question of this name, or no such receipt."),
        *FORM_ANSWERS,
        refusal(503, "Not counted yet, too big, or the store does not answer; see `Retry-After`."),
    ],
    [
        _NAME,
        text_parameter("format", "As which; before `Accept`.", [form.name for form in FORMS]),
        text_parameter("cursor", "From the answer before: the next groups."),
        *ASKING_PARAMETERS,
    ],
    forms=[form for form in FORMS if _media(form)],
)
