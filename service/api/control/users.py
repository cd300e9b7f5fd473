"""`/api/users`: people, as they and superusers see them."""

from typing import Any

from litestar import Request
from litestar.handlers import HTTPRouteHandler

from service.api.answers import Answer, json_answer
from service.api.control.entrance import Entrance
from service.api.control.people import A_USER, UserDocument, document_of
from service.api.control.said import SIGNED_IN_ALWAYS
from service.api.guards import IS_KNOWN
from service.api.openapi import Said, document, read


class UserRoutes:
    """Users."""

    def __init__(self, entrance: Entrance) -> None:
        self._entrance = entrance

    def routes(self) -> list[HTTPRouteHandler]:
        """The handlers."""
        return [*read("/api/users/me", self.me, _ME)]

    async def me(self, request: Request[Any, Any, Any]) -> Answer:
        """Who is signed in."""
        caller = await self._entrance.caller(request, IS_KNOWN)
        return json_answer(200, document_of(caller.user))


_ME = Said("users", IS_KNOWN, [document(200, UserDocument, "The user.", A_USER), *SIGNED_IN_ALWAYS])
