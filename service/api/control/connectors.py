"""`/api/connectors`: connections to other systems, which pipelines read and write."""

from typing import Any

import msgspec
from litestar import Request, Response
from litestar.handlers import HTTPRouteHandler

from service.api.answers import NO_CONTENT, Answer, json_answer
from service.api.control.belongings import DONE, OF_TEAM, Belongings
from service.api.control.entrance import Entrance
from service.api.control.pages import page_document, span_of
from service.api.control.query import name_of
from service.api.forms import read_form
from service.api.guards import IS_KNOWN, WORKS_IN_TEAM
from service.api.openapi import body_of, change, document, read, text_parameter
from service.api.pipeline_documents import ConnectorDocument, connector_document
from service.api.pipeline_requests import LARGEST
from service.api.served import parameters_of
from service.pipelines.connectors.registry import KINDS
from service.pipelines.control.connectors import Connectors, NewConnector
from service.pipelines.control.states import States


class ConnectorForm(msgspec.Struct, forbid_unknown_fields=True):
    """The connector that is wanted."""

    name: str
    type: str
    team_id: str
    config: dict[str, Any]


class ConnectorChanges(msgspec.Struct, forbid_unknown_fields=True):
    """What shall be otherwise; what is left out stays."""

    name: str | None = None
    config: dict[str, Any] | None = None


class WorkerConnector(msgspec.Struct):
    """What a worker is given of a connector, with masks for the secrets."""

    id: str
    type: str
    settings: dict[str, Any]


class ConnectorRoutes:
    """Connectors."""

    def __init__(self, entrance: Entrance, connectors: Connectors, states: States) -> None:
        self._entrance = entrance
        self._connectors = connectors
        self._states = states

    def routes(self) -> list[HTTPRouteHandler]:
        """The handlers."""
        return [
            *read("/api/connectors/source-config", self.sources, _PAGE),
            *read("/api/connectors/target-config", self.targets, _PAGE),
            *read("/api/connectors/filter-one", self.find_named, _FIND_NAMED),
            change("POST", "/api/connectors", self.make, _MAKE),
            *read("/api/connectors/{connector_id:str}", self.find, _FIND),
            change("PATCH", "/api/connectors/{connector_id:str}", self.patch, _PATCH),
            change("DELETE", "/api/connectors/{connector_id:str}", self.delete, _DELETE),
            *read(
                "/api/connectors/{connector_id:str}/source-worker-config", self.as_source, _WORKER
            ),
            *read(
                "/api/connectors/{connector_id:str}/target-worker-config", self.as_target, _WORKER
            ),
            change("POST", "/api/connectors/{connector_id:str}/start", self.start, _START),
            change("POST", "/api/connectors/{connector_id:str}/stop", self.stop, _STOP),
        ]

    async def sources(self, request: Request[Any, Any, Any]) -> Answer:
        """List the sources of the environment.

        Those of the caller's teams; of all teams for an owner of the environment.
        """
        return await self._page(request, "source")

    async def targets(self, request: Request[Any, Any, Any]) -> Answer:
        """List the targets of the environment.

        Those of the caller's teams; of all teams for an owner of the environment.
        """
        return await self._page(request, "target")

    async def _page(self, request: Request[Any, Any, Any], direction: str) -> Answer:
        reach = await self._entrance.reach(request, IS_KNOWN)
        only = only_of(request, "type", "team_id")
        span = span_of(request, "type", "team_id")
        page = await self._connectors.page(reach, span, direction=direction, **only)
        return json_answer(200, page_document(page, [connector_document(c) for c in page.items]))

    async def find_named(self, request: Request[Any, Any, Any]) -> Answer:
        """The connector of a name in the environment."""
        reach = await self._entrance.reach(request, IS_KNOWN)
        found = await self._connectors.find_named(reach, name_of(request))
        return json_answer(200, connector_document(found))

    async def make(self, request: Request[Any, Any, Any]) -> Answer:
        """Make a connector for a team.

        Its secrets are sealed, and told to nobody.
        """
        reach = await self._entrance.reach(request, WORKS_IN_TEAM)
        form = await read_form(request, ConnectorForm, LARGEST)
        wanted = NewConnector(form.team_id, form.name, form.type, form.config)
        return json_answer(201, connector_document(await self._connectors.make(reach, wanted)))

    async def find(self, request: Request[Any, Any, Any]) -> Answer:
        """A connector."""
        reach = await self._entrance.reach(request, WORKS_IN_TEAM)
        found = await self._connectors.find(reach, _id(request))
        return json_answer(200, connector_document(found))

    async def patch(self, request: Request[Any, Any, Any]) -> Answer:
        """Change a connector, which all pipelines that use it hear of.

        `config` takes the place of the former one; a secret that is left out, or `********`, stays.
        """
        reach = await self._entrance.reach(request, WORKS_IN_TEAM)
        form = await read_form(request, ConnectorChanges, LARGEST)
        changed = await self._connectors.change(reach, _id(request), form.name, form.config)
        return json_answer(200, connector_document(changed))

    async def delete(self, request: Request[Any, Any, Any]) -> Response[None]:
        """Delete a connector that no pipeline uses."""
        reach = await self._entrance.reach(request, WORKS_IN_TEAM)
        await self._connectors.delete(reach, _id(request))
        return NO_CONTENT

    async def as_source(self, request: Request[Any, Any, Any]) -> Answer:
        """What a worker is given of a source, with masks for secrets."""
        return await self._worker(request, "source")

    async def as_target(self, request: Request[Any, Any, Any]) -> Answer:
        """What a worker is given of a target, with masks for secrets."""
        return await self._worker(request, "target")

    async def _worker(self, request: Request[Any, Any, Any], side: str) -> Answer:
        reach = await self._entrance.reach(request, WORKS_IN_TEAM)
        found = await self._connectors.find(reach, _id(request), side)
        worker = WorkerConnector(found.id, found.type, dict(found.settings))
        return json_answer(200, worker)

    async def start(self, request: Request[Any, Any, Any]) -> Answer:
        """Start all pipelines that use a connector."""
        reach = await self._entrance.reach(request, WORKS_IN_TEAM)
        state = await self._states.start_of(reach, _id(request))
        return json_answer(202, state.upper())

    async def stop(self, request: Request[Any, Any, Any]) -> Answer:
        """Pause all pipelines that use a connector."""
        reach = await self._entrance.reach(request, WORKS_IN_TEAM)
        state = await self._states.stop_of(reach, _id(request))
        return json_answer(202, state.upper())


def only_of(request: Request[Any, Any, Any], *names: str) -> dict[str, str]:
    """Those of these parameters that were given."""
    raw = parameters_of(request.scope["query_string"])
    return {name: raw[name] for name in names if name in raw}


def _id(request: Request[Any, Any, Any]) -> str:
    return str(request.scope["path_params"]["connector_id"])


_EXAMPLE = {
    "id": "a1b2c3d4-e5f6-4a5b-8c9d-0e1f2a3b4c5d",
    "name": "warehouse",
    "type": "WAREHOUSE_TARGET",
    "direction": "target",
    "config": {"event_type": "order"},
    "team_id": "881e0fce-5caa-4f5c-82c6-5eb883c47100",
    "env_id": "d455a981-be17-455e-a03c-4d9c3224db72",
    "created_at": "2025-11-19T10:30:00.000Z",
    "updated_at": "2025-11-19T10:30:00.000Z",
}
_FIELDS = {
    "name": {"type": "string", "minLength": 1, "maxLength": 128},
    "config": {"type": "object", "description": "What its type is told"},
}
_WANTED = {
    "type": "object",
    "required": ["name", "type", "team_id", "config"],
    "additionalProperties": False,
    "properties": {
        **_FIELDS,
        "type": {"type": "string", "enum": sorted(KINDS)},
        "team_id": {"type": "string"},
    },
}
_CHANGED = {"type": "object", "additionalProperties": False, "properties": _FIELDS}
_SAID = {name: _EXAMPLE[name] for name in ("name", "type", "team_id", "config")}
_ONE = document(200, ConnectorDocument, "The connector.", _EXAMPLE)
_OF = Belongings("connector")
_PAGE = _OF.page(ConnectorDocument, text_parameter("type", "Only those of this type."), OF_TEAM)
_FIND_NAMED = _OF.named(_ONE)
_MAKE = _OF.make(
    document(201, ConnectorDocument, "The connector.", _EXAMPLE),
    body_of("The connector that is wanted.", json=(_WANTED, _SAID)),
)
_FIND = _OF.find(_ONE)
_PATCH = _OF.change(
    _ONE, body_of("What shall be otherwise.", json=(_CHANGED, {"name": "warehouse 2"}))
)
_DELETE = _OF.change(DONE)
_WORKER = _OF.find(document(200, WorkerConnector, "As a worker has it."))
_START = _OF.change(document(202, str, "The state that they come to.", "BUILDING"))
_STOP = _OF.change(document(202, str, "The state that they are in.", "PAUSED"))
