"""`/api/v1/pipelines`: the control face's pipelines, for keys of the environment too."""

from typing import Any

import msgspec
from litestar import Request, Response
from litestar.handlers import HTTPRouteHandler

from service.api.answers import NO_CONTENT, Answer, json_answer
from service.api.forms import read_form
from service.api.guards import KEEPS_PIPELINES, SEES_PIPELINES
from service.api.openapi import Said, body_of, change, document, read, text_parameter
from service.api.pipeline_documents import PipelineDocument, pipeline_document
from service.api.pipeline_requests import CHANGED, LARGEST, end_pipeline, pipeline_id_of
from service.api.served import parameters_of
from service.api.thedata.doorway import LIST_PARAMETERS, Doorway, refused, span_of
from service.api.thedata.sources import type_of
from service.pipelines.control.pipelines import STATES, Pipelines
from service.pipelines.control.sources import Sources
from service.pipelines.control.states import States
from service.pipelines.control.wanted import Wanted
from service.pipelines.insight import Insight


class PipelineList(msgspec.Struct):
    """A part of the list, and how long all of it is."""

    data: list[PipelineDocument]
    total: int
    offset: int
    limit: int


class Begun(msgspec.Struct):
    """What a pipeline is in now."""

    id: str
    state: str


class ThedataPipelines:
    """Pipelines."""

    def __init__(
        self,
        doorway: Doorway,
        pipelines: Pipelines,
        states: States,
        sources: Sources,
        insight: Insight,
    ) -> None:
        self._insight = insight
        self._doorway = doorway
        self._pipelines = pipelines
        self._states = states
        self._sources = sources

    def routes(self) -> list[HTTPRouteHandler]:
        """The handlers."""
        return [
            *read("/api/v1/pipelines", self.page, _PAGE),
            change("POST", "/api/v1/pipelines", self.make, _MAKE),
            *read("/api/v1/pipelines/{pipeline_id:str}", self.find, _FIND),
            change("PUT", "/api/v1/pipelines/{pipeline_id:str}", self.put, _PUT),
            change("DELETE", "/api/v1/pipelines/{pipeline_id:str}", self.delete, _DELETE),
            change("POST", "/api/v1/pipelines/{pipeline_id:str}/start", self.start, _START),
            change("POST", "/api/v1/pipelines/{pipeline_id:str}/stop", self.stop, _START),
        ]

    async def page(self, request: Request[Any, Any, Any]) -> Answer:
        """List the pipelines of the environment.

        A user sees those of his teams.
        """
        reach = await self._doorway.reach(request, SEES_PIPELINES)
        span = span_of(request, "state")
        state = parameters_of(request.scope["query_string"]).get("state")
        page = await self._pipelines.page(reach, span, state)
        shown = [pipeline_document(one) for one in page.items]
        return json_answer(200, PipelineList(shown, page.total, span.skip, span.limit))

    async def make(self, request: Request[Any, Any, Any]) -> Answer:
        """Make a pipeline, with connectors that are there or new ones.

        It is a draft until it is started.
        """
        reach = await self._doorway.reach(request, KEEPS_PIPELINES)
        wanted = await _read(request)
        if not wanted.team_id:
            wanted.team_id = await self._sources.usual_team(reach)
        return json_answer(201, pipeline_document(await self._pipelines.make(reach, wanted)))

    async def find(self, request: Request[Any, Any, Any]) -> Answer:
        """A pipeline."""
        reach = await self._doorway.reach(request, SEES_PIPELINES)
        found = await self._pipelines.find(reach, pipeline_id_of(request))
        return json_answer(200, pipeline_document(found))

    async def put(self, request: Request[Any, Any, Any]) -> Answer:
        """Make a pipeline what the body says.

        Its connectors stay where none are said; what else is left out is as in a new pipeline.
        """
        reach = await self._doorway.reach(request, KEEPS_PIPELINES)
        wanted = (await _read(request)).whole()
        changed = await self._pipelines.change(reach, pipeline_id_of(request), wanted)
        return json_answer(200, pipeline_document(changed))

    async def delete(self, request: Request[Any, Any, Any]) -> Response[None]:
        """Delete a pipeline; its source and target stay."""
        reach = await self._doorway.reach(request, KEEPS_PIPELINES)
        await end_pipeline(reach, pipeline_id_of(request), self._pipelines, self._insight)
        return NO_CONTENT

    async def start(self, request: Request[Any, Any, Any]) -> Answer:
        """Start a pipeline, or have it go on."""
        reach = await self._doorway.reach(request, KEEPS_PIPELINES)
        pipeline_id = pipeline_id_of(request)
        state = await self._states.start(reach, pipeline_id)
        return json_answer(202, Begun(pipeline_id, state))

    async def stop(self, request: Request[Any, Any, Any]) -> Answer:
        """Have a pipeline stand still until it is started again."""
        reach = await self._doorway.reach(request, KEEPS_PIPELINES)
        pipeline_id = pipeline_id_of(request)
        state = await self._states.pause(reach, pipeline_id)
        return json_answer(202, Begun(pipeline_id, state))


async def _read(request: Request[Any, Any, Any]) -> Wanted:
    wanted = await read_form(request, Wanted, LARGEST)
    if isinstance(wanted.source_type, str):
        wanted.source_type = type_of(wanted.source_type)
    return wanted


_EXAMPLE = {
    "name": "orders",
    "existing_source_id": "a1b2c3d4-e5f6-4a5b-8c9d-0e1f2a3b4c5d",
    "target_name": "events",
    "target_type": "WAREHOUSE_TARGET",
    "target_config": {"event_type": "order"},
}
_BODY = body_of("The pipeline that is wanted.", json=({**CHANGED, "required": ["name"]}, _EXAMPLE))
_BEGUN = {"id": "5efd3d63-a6eb-4b0c-afe9-6ee1d8f5f820", "state": "building"}
PIPELINE_ID = text_parameter("pipeline_id", "The pipeline's `id`.", where="path")
_ONE = document(200, PipelineDocument, "The pipeline.")
_PAGE = Said(
    "thedata",
    SEES_PIPELINES,
    [document(200, PipelineList, "A part of the list."), *refused()],
    [*LIST_PARAMETERS, text_parameter("state", "Only those in this state.", list(STATES))],
)
_MAKE = Said(
    "thedata",
    KEEPS_PIPELINES,
    [document(201, PipelineDocument, "The pipeline."), *refused(409, 413, 415)],
    body=_BODY,
)
_FIND = Said("thedata", SEES_PIPELINES, [_ONE, *refused()], [PIPELINE_ID])
_PUT = Said("thedata", KEEPS_PIPELINES, [_ONE, *refused(409, 413, 415)], [PIPELINE_ID], _BODY)
_DELETE = Said(
    "thedata", KEEPS_PIPELINES, [document(204, None, "Done."), *refused()], [PIPELINE_ID]
)
_START = Said(
    "thedata",
    KEEPS_PIPELINES,
    [document(202, Begun, "The state that it is in now.", _BEGUN), *refused(409)],
    [PIPELINE_ID],
)
