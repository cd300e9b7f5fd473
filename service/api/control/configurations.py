"""`/api/pipelines/{id}/configuration`: a pipeline as a document, out and in again."""

from typing import Any

from litestar import Request
from litestar.handlers import HTTPRouteHandler

from service.api.answers import Answer, json_answer
from service.api.control.entrance import Entrance
from service.api.control.pipelines import OF
from service.api.forms import read_form
from service.api.guards import WORKS_IN_TEAM
from service.api.openapi import body_of, change, document, read
from service.api.pipeline_documents import PipelineDocument, pipeline_document
from service.api.pipeline_requests import pipeline_id_of
from service.pipelines.control.configuration import Configuration, Importing, exported
from service.pipelines.control.pipelines import Pipelines

LARGEST = 4 * 1024 * 1024
"""Bytes of a document."""


class ConfigurationRoutes:
    """Configurations."""

    def __init__(self, entrance: Entrance, pipelines: Pipelines, importing: Importing) -> None:
        self._entrance = entrance
        self._pipelines = pipelines
        self._importing = importing

    def routes(self) -> list[HTTPRouteHandler]:
        """The handlers."""
        return [
            *read("/api/pipelines/{pipeline_id:str}/configuration", self.export, _EXPORT),
            change("POST", "/api/pipelines/{pipeline_id:str}/configuration", self.take_in, _IMPORT),
        ]

    async def export(self, request: Request[Any, Any, Any]) -> Answer:
        """Export the configuration of a pipeline, with masks for secrets."""
        reach = await self._entrance.reach(request, WORKS_IN_TEAM)
        pipeline = await self._pipelines.find(reach, pipeline_id_of(request))
        return json_answer(200, exported(pipeline))

    async def take_in(self, request: Request[Any, Any, Any]) -> Answer:
        """Make a pipeline what an exported configuration says.

        All of it, or nothing; the same document again changes nothing. Connectors are found by
        their names in the team, or made. A masked secret has to be kept here already.
        """
        reach = await self._entrance.reach(request, WORKS_IN_TEAM)
        configuration = await read_form(request, Configuration, LARGEST)
        changed = await self._importing.take_in(reach, pipeline_id_of(request), configuration)
        return json_answer(200, pipeline_document(changed))


_CONNECTOR = {
    "type": "object",
    "required": ["name", "type", "config"],
    "properties": {
        "name": {"type": "string"},
        "type": {"type": "string"},
        "config": {"type": "object"},
    },
}
_DOCUMENT = {
    "type": "object",
    "required": ["name", "source"],
    "properties": {
        "format": {"type": "string", "enum": ["headrace-pipeline"]},
        "version": {"type": "integer"},
        "name": {"type": "string"},
        "source": _CONNECTOR,
        "datamodel": {"type": ["object", "null"]},
        "subscriptions": {"type": "array", "items": {"type": "object"}},
    },
}
_EXAMPLE = {
    "format": "headrace-pipeline",
    "version": 1,
    "name": "orders",
    "source": {"name": "shop", "type": "HTTP_SOURCE", "config": {}},
    "subscriptions": [
        {"target": {"name": "events", "type": "WAREHOUSE_TARGET", "config": {}}, "backfill": True}
    ],
}
_EXPORT = OF.find(document(200, Configuration, "The document."))
_IMPORT = OF.change(
    document(200, PipelineDocument, "The pipeline."),
    body_of("A configuration that was exported.", json=(_DOCUMENT, _EXAMPLE)),
)
