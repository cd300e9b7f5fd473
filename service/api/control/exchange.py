"""`/api/users/export-all` and `import-all`: all accounts as one document."""

from typing import Any

from litestar import Request
from litestar.handlers import HTTPRouteHandler

from service.accounts.exchange import Counts, Exchange
from service.accounts.records import Accounts
from service.api.answers import Answer, json_answer
from service.api.control.entrance import Entrance
from service.api.control.said import BODY_REFUSED, CONFLICT, SIGNED_IN_ALWAYS, WRONG
from service.api.forms import read_form
from service.api.guards import GOVERNS
from service.api.openapi import Said, body_of, change, document, read

LARGEST = 32 * 1024 * 1024
"""Bytes of a document."""


class ExchangeRoutes:
    """All accounts, out and in."""

    def __init__(self, entrance: Entrance, exchange: Exchange) -> None:
        self._entrance = entrance
        self._exchange = exchange

    def routes(self) -> list[HTTPRouteHandler]:
        """The handlers."""
        return [
            *read("/api/users/export-all", self.export, _EXPORT),
            change("POST", "/api/users/import-all", self.take_in, _IMPORT),
        ]

    async def export(self, request: Request[Any, Any, Any]) -> Answer:
        """Export all accounts.

        Users, environments, teams and memberships; no password, key, token or session.
        """
        caller = await self._entrance.caller(request, GOVERNS)
        return json_answer(200, await self._exchange.export(caller))

    async def take_in(self, request: Request[Any, Any, Any]) -> Answer:
        """Import accounts that were exported.

        All of the document, or nothing. What is there already is changed to what the document
        says; what the document does not name stays. The same document again changes nothing.
        """
        caller = await self._entrance.caller(request, GOVERNS)
        accounts = await read_form(request, Accounts, LARGEST)
        return json_answer(200, await self._exchange.take_in(caller, accounts))


_EMPTY = {
    "format": "headrace-accounts",
    "version": 1,
    "exported_at": 1763546400000,
    "environments": [],
    "users": [],
    "members": [],
    "teams": [],
    "team_members": [],
}
_EXPORT = Said(
    "users", GOVERNS, [document(200, Accounts, "The document.", _EMPTY), *SIGNED_IN_ALWAYS]
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
        json=({"type": "object", "required": list(_EMPTY)}, _EMPTY),
    ),
)
