"""`/api/subscriptions`: ways from a pipeline's records into targets."""

from typing import Any

import msgspec
from litestar import Request, Response
from litestar.handlers import HTTPRouteHandler
from msgspec import UNSET, UnsetType

from service.api.answers import NO_CONTENT, Answer, iso, json_answer
from service.api.control.belongings import BEGUN, DONE, PAUSED, Belongings
from service.api.control.connectors import only_of
from service.api.control.entrance import Entrance
from service.api.control.pages import page_document, span_of
from service.api.forms import read_form
from service.api.guards import IS_KNOWN, WORKS_IN_TEAM
from service.api.openapi import body_of, change, document, read, text_parameter
from service.api.pipeline_requests import LARGEST
from service.pipelines.control.subscriptions import Held, Subscriptions
from service.pipelines.control.wanted import columns_said


class SubscriptionChanges(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """What shall be otherwise; what is left out stays."""

    target_id: str | UnsetType = UNSET
    target_table_name: str | UnsetType | None = UNSET
    backfill: bool | UnsetType | None = UNSET
    mapper_config: list[dict[str, Any]] | UnsetType | None = UNSET
    transforms: list[dict[str, Any]] | UnsetType | None = UNSET
    consumer_id: str | UnsetType | None = UNSET
    error_table_enabled: bool | UnsetType | None = UNSET
    error_table_name: str | UnsetType | None = UNSET
    error_table_target_id: str | UnsetType | None = UNSET


class NewSubscription(SubscriptionChanges, kw_only=True):
    """The subscription that is wanted."""

    datamodel_id: str
    target_id: str


class SubscribeAll(SubscriptionChanges, kw_only=True):
    """Which target shall have all datamodels of its team."""

    target_id: str


class SubscriptionDocument(msgspec.Struct):
    """A subscription."""

    id: str
    pipeline_id: str
    pipeline_name: str
    datamodel_id: str
    state: str
    target_id: str
    target_name: str
    target_type: str
    target_table_name: str | None
    backfill: bool
    mapper_config: list[dict[str, Any]] | None
    transforms: list[dict[str, Any]] | None
    consumer_id: str
    error_table_enabled: bool
    error_table_name: str | None
    error_table_target_id: str | None
    team_id: str
    env_id: str
    created_at: str
    updated_at: str


class SubscriptionRoutes:
    """Subscriptions."""

    def __init__(self, entrance: Entrance, subscriptions: Subscriptions) -> None:
        self._entrance = entrance
        self._subscriptions = subscriptions

    def routes(self) -> list[HTTPRouteHandler]:
        """The handlers."""
        return [
            *read("/api/subscriptions", self.page, _PAGE),
            change("POST", "/api/subscriptions", self.make, _MAKE),
            change("POST", "/api/subscriptions/subscribe-all", self.subscribe_all, _ALL),
            *read("/api/subscriptions/{subscription_id:str}", self.find, _FIND),
            change("PATCH", "/api/subscriptions/{subscription_id:str}", self.patch, _PATCH),
            change("DELETE", "/api/subscriptions/{subscription_id:str}", self.delete, _DELETE),
            change("POST", "/api/subscriptions/{subscription_id:str}/start", self.start, _START),
            change("POST", "/api/subscriptions/{subscription_id:str}/pause", self.pause, _PAUSE),
        ]

    async def page(self, request: Request[Any, Any, Any]) -> Answer:
        """List the subscriptions of the environment.

        Those of the caller's teams; `search` looks in the names of pipelines.
        """
        reach = await self._entrance.reach(request, IS_KNOWN)
        only = only_of(request, "pipeline_id")
        page = await self._subscriptions.page(reach, span_of(request, "pipeline_id"), **only)
        return json_answer(200, page_document(page, [_document(held) for held in page.items]))

    async def make(self, request: Request[Any, Any, Any]) -> Answer:
        """Subscribe a target to a datamodel.

        It is a draft until it or its pipeline is started.
        """
        reach = await self._entrance.reach(request, WORKS_IN_TEAM)
        form = await read_form(request, NewSubscription, LARGEST)
        made = await self._subscriptions.make(reach, columns_said(form))
        return json_answer(201, _document(made))

    async def subscribe_all(self, request: Request[Any, Any, Any]) -> Answer:
        """Subscribe a target to every datamodel of its team.

        Those that feed it already are left out. Without `target_table_name` each goes into the
        table of its pipeline's name.
        """
        reach = await self._entrance.reach(request, WORKS_IN_TEAM)
        said = columns_said(await read_form(request, SubscribeAll, LARGEST))
        made = await self._subscriptions.subscribe_all(reach, said.pop("target_id"), said)
        return json_answer(201, [_document(held) for held in made])

    async def find(self, request: Request[Any, Any, Any]) -> Answer:
        """A subscription."""
        reach = await self._entrance.reach(request, WORKS_IN_TEAM)
        found = await self._subscriptions.find(reach, subscription_id_of(request))
        return json_answer(200, _document(found))

    async def patch(self, request: Request[Any, Any, Any]) -> Answer:
        """Change a subscription; its pipeline goes on with what is new, in another version."""
        reach = await self._entrance.reach(request, WORKS_IN_TEAM)
        said = columns_said(await read_form(request, SubscriptionChanges, LARGEST))
        changed = await self._subscriptions.change(reach, subscription_id_of(request), said)
        return json_answer(200, _document(changed))

    async def delete(self, request: Request[Any, Any, Any]) -> Response[None]:
        """Delete a subscription; a pipeline without any stands still."""
        reach = await self._entrance.reach(request, WORKS_IN_TEAM)
        await self._subscriptions.delete(reach, subscription_id_of(request))
        return NO_CONTENT

    async def start(self, request: Request[Any, Any, Any]) -> Answer:
        """Start a subscription, and its pipeline where that stands still."""
        reach = await self._entrance.reach(request, WORKS_IN_TEAM)
        state = await self._subscriptions.start(reach, subscription_id_of(request))
        return json_answer(202, state.upper())

    async def pause(self, request: Request[Any, Any, Any]) -> Answer:
        """Have a subscription stand still; the others of its pipeline go on."""
        reach = await self._entrance.reach(request, WORKS_IN_TEAM)
        state = await self._subscriptions.pause(reach, subscription_id_of(request))
        return json_answer(202, state.upper())


def subscription_id_of(request: Request[Any, Any, Any]) -> str:
    """The subscription that the path names."""
    return str(request.scope["path_params"]["subscription_id"])


def _document(held: Held) -> SubscriptionDocument:
    one, pipeline, target = held.subscription, held.pipeline, held.target
    return SubscriptionDocument(
        id=one.id,
        pipeline_id=pipeline.id,
        pipeline_name=pipeline.name,
        datamodel_id=one.datamodel_id,
        state=held.state,
        target_id=target.id,
        target_name=target.name,
        target_type=target.type,
        target_table_name=one.target_table_name,
        backfill=one.backfill,
        mapper_config=[dict(c) for c in one.mapper_config] if one.mapper_config else None,
        transforms=[dict(t) for t in one.transforms] if one.transforms else None,
        consumer_id=one.consumer_id,
        error_table_enabled=one.error_table_enabled,
        error_table_name=one.error_table_name,
        error_table_target_id=one.error_table_target_id,
        team_id=pipeline.team_id,
        env_id=pipeline.environment_id,
        created_at=iso(one.created_at),
        updated_at=iso(one.updated_at),
    )


_TEXT = {"type": ["string", "null"]}
_LIST = {"type": ["array", "null"], "items": {"type": "object"}}
_FIELDS: dict[str, Any] = {
    "target_id": {"type": "string"},
    "target_table_name": _TEXT,
    "backfill": {"type": ["boolean", "null"]},
    "mapper_config": _LIST,
    "transforms": _LIST,
    "consumer_id": _TEXT,
    "error_table_enabled": {"type": ["boolean", "null"]},
    "error_table_name": _TEXT,
    "error_table_target_id": _TEXT,
}
_CHANGED = {"type": "object", "additionalProperties": False, "properties": _FIELDS}
_ALL_OF = {**_CHANGED, "required": ["target_id"]}
_WANTED = {
    **_CHANGED,
    "required": ["datamodel_id", "target_id"],
    "properties": {**_FIELDS, "datamodel_id": {"type": "string"}},
}
_TARGET = {"target_id": "f6e5d4c3-b2a1-4c5d-9e8f-5d4c3b2a1f0e"}
_EXAMPLE = {
    "datamodel_id": "5efd3d63-a6eb-4b0c-afe9-6ee1d8f5f820",
    **_TARGET,
    "target_table_name": "events_copy",
    "backfill": True,
}
_ONE = document(200, SubscriptionDocument, "The subscription.")
OF = Belongings("subscription")
_PAGE = OF.page(SubscriptionDocument, text_parameter("pipeline_id", "Only those of this pipeline."))
_MAKE = OF.make(
    document(201, SubscriptionDocument, "The subscription."),
    body_of("The subscription that is wanted.", json=(_WANTED, _EXAMPLE)),
)
_ALL = OF.make(
    document(201, list[SubscriptionDocument], "Those that are new."),
    body_of("The target, and what each shall be.", json=(_ALL_OF, _TARGET)),
)
_FIND = OF.find(_ONE)
_PATCH = OF.change(_ONE, body_of("What shall be otherwise.", json=(_CHANGED, {"backfill": True})))
_DELETE = OF.change(DONE)
_START = OF.change(BEGUN)
_PAUSE = OF.change(PAUSED)
