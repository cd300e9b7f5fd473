"""`/api/v1/sources`: where records come from. A source is a connector of the pipelines."""

from typing import Any

import msgspec
from litestar import Request, Response
from litestar.handlers import HTTPRouteHandler

from service.api.answers import NO_CONTENT, Answer, iso, json_answer
from service.api.forms import read_form
from service.api.guards import KEEPS_PIPELINES, SEES_PIPELINES
from service.api.openapi import Said, body_of, change, document, read, text_parameter
from service.api.pipeline_requests import LARGEST
from service.api.thedata.doorway import LIST_PARAMETERS, Doorway, refused, span_of
from service.errors import InvalidInput
from service.pipelines.connectors.registry import KINDS
from service.pipelines.control.connectors import Connectors, NewConnector
from service.pipelines.control.rows import Connector
from service.pipelines.control.sources import Sources

IDLE = "idle"
"""The status of a source that no pipeline takes anything from."""


class SourceForm(msgspec.Struct, forbid_unknown_fields=True):
    """The source that is wanted."""

    name: str
    type: str
    config: dict[str, Any]
    team_id: str | None = None


class SourceDocument(msgspec.Struct):
    """A source. `config` has `********` for each secret; `status` is that of its pipelines."""

    id: str
    name: str
    type: str
    config: dict[str, Any]
    status: str
    team_id: str
    environment_id: str
    created_at: str
    updated_at: str


class SourceList(msgspec.Struct):
    """A part of the list, and how long all of it is."""

    data: list[SourceDocument]
    total: int
    offset: int
    limit: int


class RunDocument(msgspec.Struct):
    """A synchronisation that was asked for."""

    run_id: str
    source_id: str
    started_at: str


class SourceRoutes:
    """Sources."""

    def __init__(self, doorway: Doorway, connectors: Connectors, sources: Sources) -> None:
        self._doorway = doorway
        self._connectors = connectors
        self._sources = sources

    def routes(self) -> list[HTTPRouteHandler]:
        """The handlers."""
        return [
            *read("/api/v1/sources", self.page, _PAGE),
            change("POST", "/api/v1/sources", self.make, _MAKE),
            *read("/api/v1/sources/{source_id:str}", self.find, _FIND),
            change("PUT", "/api/v1/sources/{source_id:str}", self.put, _PUT),
            change("DELETE", "/api/v1/sources/{source_id:str}", self.delete, _DELETE),
            change("POST", "/api/v1/sources/{source_id:str}/sync", self.sync, _SYNC),
        ]

    async def page(self, request: Request[Any, Any, Any]) -> Answer:
        """List the sources of the environment.

        A user sees those of his teams.
        """
        reach = await self._doorway.reach(request, SEES_PIPELINES)
        page = await self._connectors.page(reach, span_of(request), direction="source")
        states = await self._sources.states([one.id for one in page.items])
        shown = [_document(one, states.get(one.id, IDLE)) for one in page.items]
        return json_answer(200, SourceList(shown, page.total, page.span.skip, page.span.limit))

    async def make(self, request: Request[Any, Any, Any]) -> Answer:
        """Make a source. Its secrets are sealed, and told to nobody."""
        reach = await self._doorway.reach(request, KEEPS_PIPELINES)
        form = await read_form(request, SourceForm, LARGEST)
        team_id = form.team_id or await self._sources.usual_team(reach)
        wanted = NewConnector(team_id, form.name, type_of(form.type), form.config, "source")
        made = await self._connectors.make(reach, wanted)
        return json_answer(201, _document(made, IDLE))

    async def find(self, request: Request[Any, Any, Any]) -> Answer:
        """A source."""
        reach = await self._doorway.reach(request, SEES_PIPELINES)
        found = await self._connectors.find(reach, source_id_of(request), "source")
        return json_answer(200, await self._shown(found))

    async def put(self, request: Request[Any, Any, Any]) -> Answer:
        """Change a source, which all pipelines that use it hear of.

        A secret that is left out, or `********`, stays as it is. The type stays.
        """
        reach = await self._doorway.reach(request, KEEPS_PIPELINES)
        form = await read_form(request, SourceForm, LARGEST)
        former = await self._connectors.find(reach, source_id_of(request), "source")
        if type_of(form.type) != former.type:
            raise InvalidInput(f"a source stays of its type, {former.type}", "type")
        changed = await self._connectors.change(reach, former.id, form.name, form.config)
        return json_answer(200, await self._shown(changed))

    async def delete(self, request: Request[Any, Any, Any]) -> Response[None]:
        """Delete a source that no pipeline uses."""
        reach = await self._doorway.reach(request, KEEPS_PIPELINES)
        found = await self._connectors.find(reach, source_id_of(request), "source")
        await self._connectors.delete(reach, found.id)
        return NO_CONTENT

    async def sync(self, request: Request[Any, Any, Any]) -> Answer:
        """Have all pipelines of a source run."""
        reach = await self._doorway.reach(request, KEEPS_PIPELINES)
        run = await self._sources.sync(reach, source_id_of(request))
        return json_answer(202, RunDocument(run.id, run.source_id, iso(run.started_at)))

    async def _shown(self, source: Connector) -> SourceDocument:
        states = await self._sources.states([source.id])
        return _document(source, states.get(source.id, IDLE))


def type_of(text: str) -> str:
    """The type that is meant, of which the first word will do: `kafka` for `KAFKA_SOURCE`."""
    whole = f"{text.upper()}_SOURCE"
    return whole if whole in KINDS else text


def source_id_of(request: Request[Any, Any, Any]) -> str:
    """The source that the path names."""
    return str(request.scope["path_params"]["source_id"])


def _document(source: Connector, status: str) -> SourceDocument:
    return SourceDocument(
        source.id,
        source.name,
        source.type,
        dict(source.settings),
        status,
        source.team_id,
        source.environment_id,
        iso(source.created_at),
        iso(source.updated_at),
    )


_EXAMPLE = {
    "id": "a1b2c3d4-e5f6-4a5b-8c9d-0e1f2a3b4c5d",
    "name": "user events",
    "type": "KAFKA_SOURCE",
    "config": {"topic": "user-events", "bootstrap_servers": "kafka1:9092"},
    "status": "live",
    "team_id": "881e0fce-5caa-4f5c-82c6-5eb883c47100",
    "environment_id": "d455a981-be17-455e-a03c-4d9c3224db72",
    "created_at": "2025-11-19T10:30:00.000Z",
    "updated_at": "2025-11-19T10:30:00.000Z",
}
_WANTED = {
    "type": "object",
    "required": ["name", "type", "config"],
    "additionalProperties": False,
    "properties": {
        "name": {"type": "string", "minLength": 1, "maxLength": 128},
        "type": {"type": "string"},
        "config": {"type": "object", "description": "What its type is told"},
        "team_id": {"type": ["string", "null"]},
    },
}
_SAID = {name: _EXAMPLE[name] for name in ("name", "type", "config")}
_RUN = {
    "run_id": "5efd3d63-a6eb-4b0c-afe9-6ee1d8f5f820",
    "source_id": _EXAMPLE["id"],
    "started_at": "2025-11-19T10:31:00.000Z",
}
SOURCE_ID = text_parameter("source_id", "The source's `id`.", where="path")
_ONE = document(200, SourceDocument, "The source.", _EXAMPLE)
_BODY = body_of("The source that is wanted.", json=(_WANTED, _SAID))
_PAGE = Said(
    "thedata",
    SEES_PIPELINES,
    [document(200, SourceList, "A part of the list."), *refused()],
    LIST_PARAMETERS,
)
_MAKE = Said(
    "thedata",
    KEEPS_PIPELINES,
    [document(201, SourceDocument, "The source.", _EXAMPLE), *refused(409, 413, 415)],
    body=_BODY,
)
_FIND = Said("thedata", SEES_PIPELINES, [_ONE, *refused()], [SOURCE_ID])
_PUT = Said("thedata", KEEPS_PIPELINES, [_ONE, *refused(409, 413, 415)], [SOURCE_ID], _BODY)
_DELETE = Said(
    "thedata", KEEPS_PIPELINES, [document(204, None, "Done."), *refused(409)], [SOURCE_ID]
)
_SYNC = Said(
    "thedata",
    KEEPS_PIPELINES,
    [document(202, RunDocument, "What was begun.", _RUN), *refused(409)],
    [SOURCE_ID],
)
