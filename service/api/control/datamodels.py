"""`/api/datamodels`: the records of a pipeline's source."""

from typing import Any

import msgspec
from litestar import Request, Response
from litestar.handlers import HTTPRouteHandler
from msgspec import UNSET, UnsetType

from service.api.answers import NO_CONTENT, Answer, iso, json_answer
from service.api.control.belongings import DONE, Belongings
from service.api.control.entrance import Entrance
from service.api.control.pages import page_document, span_of
from service.api.forms import read_form
from service.api.guards import IS_KNOWN, WORKS_IN_TEAM
from service.api.openapi import body_of, change, document, read
from service.pipelines.control.datamodels import Datamodels, Modelled
from service.pipelines.control.wanted import columns_said


class ErrorTable(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """Where refused records go; what is left out stays."""

    error_table_enabled: bool | UnsetType | None = UNSET
    error_table_name: str | UnsetType | None = UNSET
    error_table_target_id: str | UnsetType | None = UNSET


class DatamodelDocument(msgspec.Struct):
    """A datamodel: it is called as its pipeline is."""

    id: str
    name: str
    pipeline_id: str
    source_id: str
    source_name: str
    source_type: str
    source_topic: str | None
    target_topic: str | None
    error_table_enabled: bool
    error_table_name: str | None
    error_table_target_id: str | None
    subscription_ids: list[str]
    team_id: str
    env_id: str
    created_at: str
    updated_at: str


class DatamodelRoutes:
    """Datamodels."""

    def __init__(self, entrance: Entrance, datamodels: Datamodels) -> None:
        self._entrance = entrance
        self._datamodels = datamodels

    def routes(self) -> list[HTTPRouteHandler]:
        """The handlers."""
        table = "/api/datamodels/{datamodel_id:str}/error-table"
        return [
            *read("/api/datamodels", self.page, _PAGE),
            *read("/api/datamodels/{datamodel_id:str}", self.find, _FIND),
            change("DELETE", "/api/datamodels/{datamodel_id:str}", self.delete, _DELETE),
            change("PATCH", table, self.patch, _PATCH),
        ]

    async def page(self, request: Request[Any, Any, Any]) -> Answer:
        """List the datamodels of the environment.

        Those of the caller's teams; of all teams for an owner of the environment.
        """
        reach = await self._entrance.reach(request, IS_KNOWN)
        page = await self._datamodels.page(reach, span_of(request))
        return json_answer(200, page_document(page, [_document(one) for one in page.items]))

    async def find(self, request: Request[Any, Any, Any]) -> Answer:
        """A datamodel."""
        reach = await self._entrance.reach(request, WORKS_IN_TEAM)
        return json_answer(200, _document(await self._datamodels.find(reach, _id(request))))

    async def patch(self, request: Request[Any, Any, Any]) -> Answer:
        """Say where refused records go.

        For subscriptions that have no error table of their own.
        """
        reach = await self._entrance.reach(request, WORKS_IN_TEAM)
        said = columns_said(await read_form(request, ErrorTable))
        changed = await self._datamodels.change(reach, _id(request), said)
        return json_answer(200, _document(changed))

    async def delete(self, request: Request[Any, Any, Any]) -> Response[None]:
        """Delete a datamodel that has no subscriptions."""
        reach = await self._entrance.reach(request, WORKS_IN_TEAM)
        await self._datamodels.delete(reach, _id(request))
        return NO_CONTENT


def _id(request: Request[Any, Any, Any]) -> str:
    return str(request.scope["path_params"]["datamodel_id"])


def _document(found: Modelled) -> DatamodelDocument:
    model, pipeline = found.datamodel, found.pipeline
    return DatamodelDocument(
        id=model.id,
        name=pipeline.name,
        pipeline_id=pipeline.id,
        source_id=pipeline.source.id,
        source_name=pipeline.source.name,
        source_type=pipeline.source.type,
        source_topic=model.source_topic,
        target_topic=model.target_topic,
        error_table_enabled=model.error_table_enabled,
        error_table_name=model.error_table_name,
        error_table_target_id=model.error_table_target_id,
        subscription_ids=[one.id for one in pipeline.subscriptions],
        team_id=pipeline.team_id,
        env_id=pipeline.environment_id,
        created_at=iso(model.created_at),
        updated_at=iso(model.updated_at),
    )


_TABLE: dict[str, Any] = {
    "type": "object",
    "additionalProperties": False,
    "properties": {
        "error_table_enabled": {"type": ["boolean", "null"]},
        "error_table_name": {"type": ["string", "null"]},
        "error_table_target_id": {"type": ["string", "null"]},
    },
}
_EXAMPLE = {"error_table_enabled": True, "error_table_name": "events_errors"}
_ONE = document(200, DatamodelDocument, "The datamodel.")
OF = Belongings("datamodel")
_PAGE = OF.page(DatamodelDocument)
_FIND = OF.find(_ONE)
_DELETE = OF.change(DONE)
_PATCH = OF.change(_ONE, body_of("What shall be otherwise.", json=(_TABLE, _EXAMPLE)))
