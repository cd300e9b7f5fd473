"""`/api/users/export-all` and `import-all`: everything but events as one document."""

from typing import Any

from litestar import Request
from litestar.handlers import HTTPRouteHandler

from service.accounts.credentials import now_ms
from service.accounts.exchange import Counts, Exchange
from service.api.answers import Answer, json_answer
from service.api.control.entrance import Entrance
from service.api.control.said import BODY_REFUSED, CONFLICT, SIGNED_IN_ALWAYS, WRONG
from service.api.forms import read_form
from service.api.guards import GOVERNS
from service.api.openapi import Said, body_of, change, document, read
from service.errors import InvalidInput
from service.pipelines.control.exchange import Everything, PipelineExchange
from service.pipelines.control.reach import Reach
from service.query.saved.definition import read_definition

LARGEST = 32 * 1024 * 1024
"""Bytes of a document."""


class ExchangeRoutes:
    """Everything, out and in."""

    def __init__(self, entrance: Entrance, exchange: Exchange, pipelines: PipelineExchange) -> None:
        self._entrance = entrance
        self._exchange = exchange
        self._pipelines = pipelines

    def routes(self) -> list[HTTPRouteHandler]:
        """The handlers."""
        return [
            *read("/api/users/export-all", self.export, _EXPORT),
            change("POST", "/api/users/import-all", self.take_in, _IMPORT),
        ]

    async def export(self, request: Request[Any, Any, Any]) -> Answer:
        """Export everything.

        Users, environments, teams, memberships, saved questions, connectors and pipelines; no
        password, key, token, session or other secret.
        """
        caller = await self._entrance.caller(request, GOVERNS)
        found = await self._exchange.export(caller, self._pipelines.records)
        return json_answer(200, Everything(**found))

    async def take_in(self, request: Request[Any, Any, Any]) -> Answer:
        """Import what was exported.

        All of the document, or nothing. What is there already is changed to what the document
        says; what the document does not name stays. The same document again changes nothing.
        Pipelines that are new are drafts; secrets of new connectors are missing until given.
        """
        caller = await self._entrance.caller(request, GOVERNS)
        document = await read_form(request, Everything, LARGEST)
        _check_questions(document)
        taking = self._pipelines.taking(Reach(caller.by, caller), document)
        return json_answer(200, await self._exchange.take_in(caller, document, taking))


def _check_questions(document: Everything) -> None:
    """Raises InvalidInput for a saved question that could not be asked."""
    for number, saved in enumerate(document.saved_questions):
        try:
            read_definition(saved.definition.encode(), now_ms())
        except InvalidInput as error:
            raise InvalidInput(f"number {number}: {error}", "saved_questions") from None


_EMPTY = {
    "format": "headrace-accounts",
    "version": 2,
    "exported_at": 1763546400000,
    "environments": [],
    "users": [],
    "members": [],
    "teams": [],
    "team_members": [],
    "saved_questions": [],
    "connectors": [],
    "pipelines": [],
}
_EXPORT = Said(
    "users", GOVERNS, [document(200, Everything, "The document.", _EMPTY), *SIGNED_IN_ALWAYS]
)
_IMPORT = Said(
    "users",
    GOVERNS,
    [
        document(200, Counts, "What was made, changed, and left as it was."),
        *SIGNED_IN_ALWAYS,
        CONFLICT,
        *BODY_REFUSED,
        WRONG,
    ],
    body=body_of(
        "A document that was exported.",
        json=({"type": "object", "required": list(_EMPTY)[:8]}, _EMPTY),
    ),
)
