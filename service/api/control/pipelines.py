"""`/api/pipelines`: pipelines of an environment, made, changed, started and stopped."""

from typing import Any

import msgspec
from litestar import Request, Response
from litestar.handlers import HTTPRouteHandler

from service.api.answers import NO_CONTENT, Answer, iso, json_answer
from service.api.control.belongings import BEGUN, DONE, OF_TEAM, PAUSED, Belongings
from service.api.control.connectors import only_of
from service.api.control.entrance import Entrance
from service.api.control.pages import page_document, span_of
from service.api.control.query import name_of
from service.api.control.said import WRONG
from service.api.forms import read_form
from service.api.guards import IS_KNOWN, WORKS_IN_TEAM
from service.api.openapi import body_of, change, document, read, text_parameter
from service.api.pipeline_documents import PipelineDocument, pipeline_document
from service.api.pipeline_requests import CHANGED, LARGEST, end_pipeline, pipeline_id_of
from service.pipelines.catalogue import masked_assignment
from service.pipelines.control.pipelines import STATES, Pipelines
from service.pipelines.control.rows import Pipeline
from service.pipelines.control.states import States
from service.pipelines.control.wanted import Wanted
from service.pipelines.insight import Insight


class StatusCounts(msgspec.Struct):
    """How many pipelines are in each state, and in all."""

    all: int
    draft: int
    building: int
    live: int
    paused: int
    error: int


class Status(msgspec.Struct):
    """The state of a pipeline, since when, and why if it is an error."""

    id: str
    name: str
    state: str
    reason: str | None
    version: int
    updated_at: str


class VersionDocument(msgspec.Struct):
    """What a pipeline was in a version, and who made it so."""

    version: int
    configuration: dict[str, Any]
    made_by: str
    created_at: str


class PipelineRoutes:
    """Pipelines."""

    def __init__(
        self, entrance: Entrance, pipelines: Pipelines, states: States, insight: Insight
    ) -> None:
        self._entrance = entrance
        self._insight = insight
        self._pipelines = pipelines
        self._states = states

    def routes(self) -> list[HTTPRouteHandler]:
        """The handlers."""
        return [
            *read("/api/pipelines", self.page, _PAGE),
            change("POST", "/api/pipelines", self.make, _MAKE),
            *read("/api/pipelines/count-status", self.counts, _COUNTS),
            *read("/api/pipelines/filter-one", self.find_named, _FIND_NAMED),
            *read("/api/pipelines/status/all-non-draft", self.running, _RUNNING),
            *read("/api/pipelines/{pipeline_id:str}", self.find, _FIND),
            change("PATCH", "/api/pipelines/{pipeline_id:str}", self.patch, _PATCH),
            change("DELETE", "/api/pipelines/{pipeline_id:str}", self.delete, _DELETE),
            change("POST", "/api/pipelines/{pipeline_id:str}/start", self.start, _START),
            change("POST", "/api/pipelines/{pipeline_id:str}/pause", self.pause, _PAUSE),
            change("POST", "/api/pipelines/{pipeline_id:str}/restart", self.restart, _START),
            *read("/api/pipelines/{pipeline_id:str}/status", self.status, _STATUS),
            *read("/api/pipelines/{pipeline_id:str}/versions", self.versions, _VERSIONS),
            *read("/api/pipelines/{pipeline_id:str}/worker-config", self.worker, _WORKER),
        ]

    async def page(self, request: Request[Any, Any, Any]) -> Answer:
        """List the pipelines of the environment.

        Those of the caller's teams; of all teams for an owner of the environment.
        """
        reach = await self._entrance.reach(request, IS_KNOWN)
        only = only_of(request, "state", "team_id")
        page = await self._pipelines.page(reach, span_of(request, "state", "team_id"), **only)
        return json_answer(200, page_document(page, [pipeline_document(p) for p in page.items]))

    async def make(self, request: Request[Any, Any, Any]) -> Answer:
        """Make a pipeline for a team, with connectors that are there or new ones.

        It is a draft until it is started.
        """
        reach = await self._entrance.reach(request, WORKS_IN_TEAM)
        wanted = await read_form(request, Wanted, LARGEST)
        return json_answer(201, pipeline_document(await self._pipelines.make(reach, wanted)))

    async def counts(self, request: Request[Any, Any, Any]) -> Answer:
        """How many pipelines are in each state."""
        reach = await self._entrance.reach(request, IS_KNOWN)
        counts = await self._pipelines.counts(reach)
        return json_answer(200, StatusCounts(sum(counts.values()), **counts))

    async def find_named(self, request: Request[Any, Any, Any]) -> Answer:
        """The pipeline of a name in the environment."""
        reach = await self._entrance.reach(request, IS_KNOWN)
        found = await self._pipelines.find_named(reach, name_of(request))
        return json_answer(200, pipeline_document(found))

    async def running(self, request: Request[Any, Any, Any]) -> Answer:
        """The states of all pipelines of the environment that are no drafts."""
        reach = await self._entrance.reach(request, IS_KNOWN)
        found = await self._pipelines.running(reach)
        return json_answer(200, [_status(pipeline) for pipeline in found])

    async def find(self, request: Request[Any, Any, Any]) -> Answer:
        """A pipeline."""
        reach = await self._entrance.reach(request, WORKS_IN_TEAM)
        found = await self._pipelines.find(reach, pipeline_id_of(request))
        return json_answer(200, pipeline_document(found))

    async def patch(self, request: Request[Any, Any, Any]) -> Answer:
        """Change a pipeline.

        What is left out stays. `source_config` and `target_config` take the place of the former
        ones; a secret that is left out, or `********`, stays. A live pipeline goes on with what is
        new, under another `version`.
        """
        reach = await self._entrance.reach(request, WORKS_IN_TEAM)
        wanted = await read_form(request, Wanted, LARGEST)
        changed = await self._pipelines.change(reach, pipeline_id_of(request), wanted)
        return json_answer(200, pipeline_document(changed))

    async def delete(self, request: Request[Any, Any, Any]) -> Response[None]:
        """Delete a pipeline with its datamodel and subscriptions; its connectors stay."""
        reach = await self._entrance.reach(request, WORKS_IN_TEAM)
        await end_pipeline(reach, pipeline_id_of(request), self._pipelines, self._insight)
        return NO_CONTENT

    async def start(self, request: Request[Any, Any, Any]) -> Answer:
        """Start a pipeline, or resume one that is paused or failed.

        One that runs already goes on.
        """
        reach = await self._entrance.reach(request, WORKS_IN_TEAM)
        state = await self._states.start(reach, pipeline_id_of(request))
        return json_answer(202, state.upper())

    async def pause(self, request: Request[Any, Any, Any]) -> Answer:
        """Have a pipeline stand still until it is started again."""
        reach = await self._entrance.reach(request, WORKS_IN_TEAM)
        state = await self._states.pause(reach, pipeline_id_of(request))
        return json_answer(202, state.upper())

    async def restart(self, request: Request[Any, Any, Any]) -> Answer:
        """Have the connections of a pipeline opened anew; it goes on where it stands."""
        reach = await self._entrance.reach(request, WORKS_IN_TEAM)
        state = await self._states.restart(reach, pipeline_id_of(request))
        return json_answer(202, state.upper())

    async def status(self, request: Request[Any, Any, Any]) -> Answer:
        """The state of a pipeline. Deprecated: the pipeline itself has it."""
        reach = await self._entrance.reach(request, WORKS_IN_TEAM)
        return json_answer(200, _status(await self._pipelines.find(reach, pipeline_id_of(request))))

    async def versions(self, request: Request[Any, Any, Any]) -> Answer:
        """What a pipeline was in each of its versions, the newest first."""
        reach = await self._entrance.reach(request, WORKS_IN_TEAM)
        kept = await self._pipelines.versions(reach, pipeline_id_of(request))
        shown = [
            VersionDocument(v.version, dict(v.configuration), v.made_by, iso(v.created_at))
            for v in kept
        ]
        return json_answer(200, shown)

    async def worker(self, request: Request[Any, Any, Any]) -> Answer:
        """What a worker is given of a pipeline, with masks for secrets."""
        reach = await self._entrance.reach(request, WORKS_IN_TEAM)
        pipeline = await self._pipelines.find(reach, pipeline_id_of(request))
        return json_answer(200, masked_assignment(pipeline))


def _status(pipeline: Pipeline) -> Status:
    return Status(
        pipeline.id,
        pipeline.name,
        pipeline.state,
        pipeline.reason or None,
        pipeline.version,
        iso(pipeline.state_at),
    )


EXAMPLE = {
    "name": "kafka-to-oracle-pipeline",
    "team_id": "881e0fce-5caa-4f5c-82c6-5eb883c47100",
    "source_name": "kafka-events-source",
    "source_type": "KAFKA_SOURCE",
    "source_config": {"topic": "user-events", "bootstrap_servers": "kafka.company.com:9092"},
    "existing_target_id": "f6e5d4c3-b2a1-4c5d-9e8f-5d4c3b2a1f0e",
    "subscription_target_table_name": "events",
    "subscription_backfill": False,
    "subscription_mapper_config": [{"key": "user_id", "path": "$.user_id", "primary_key": True}],
}
_WANTED = {**CHANGED, "required": ["name", "team_id"]}
OF = Belongings("pipeline")
_ONE = document(200, PipelineDocument, "The pipeline.")
_PAGE = OF.page(
    PipelineDocument,
    text_parameter("state", "Only those in this state.", list(STATES)),
    OF_TEAM,
)
_MAKE = OF.make(
    document(201, PipelineDocument, "The pipeline."),
    body_of("The pipeline that is wanted.", json=(_WANTED, EXAMPLE)),
)
_COUNTS = OF.of_all(document(200, StatusCounts, "The counts."))
_FIND_NAMED = OF.named(_ONE)
_RUNNING = OF.of_all(document(200, list[Status], "The states, oldest pipeline first."))
_FIND = OF.find(_ONE)
_PATCH = OF.change(
    _ONE, body_of("What shall be otherwise.", json=(CHANGED, {"name": "new-pipeline-name"}))
)
_DELETE = OF.find(DONE)
_START = OF.change(BEGUN)
_PAUSE = OF.change(PAUSED)
_STATUS = OF.find(document(200, Status, "The state."))
_VERSIONS = OF.find(document(200, list[VersionDocument], "The versions."))
_WORKER = OF.find(document(200, dict[str, Any], "As a worker has it."), WRONG)
