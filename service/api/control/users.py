"""`/api/users`: people, as they and superusers see and change them."""

from typing import Any

import msgspec
from litestar import Request, Response
from litestar.handlers import HTTPRouteHandler
from msgspec import UNSET, UnsetType

from service.accounts.people import People
from service.api.answers import NO_CONTENT, Answer, json_answer
from service.api.control.entrance import Entrance
from service.api.control.pages import PAGE_PARAMETERS, PageDocument, page_document, span_of
from service.api.control.people import A_USER, EMAIL, PASSWORD, UserDocument, document_of
from service.api.control.said import (
    BODY_REFUSED,
    CONFLICT,
    NOT_THERE,
    SIGNED_IN_ALWAYS,
    TOO_OFTEN,
    WRONG,
    refused,
)
from service.api.forms import read_form, said_in
from service.api.guards import IS_HIMSELF, IS_KNOWN
from service.api.openapi import Said, body_of, change, document, read, text_parameter


class UserChanges(msgspec.Struct):
    """What shall be otherwise; what is left out stays."""

    name: str | UnsetType = UNSET
    email: str | UnsetType = UNSET
    password: str | UnsetType = UNSET
    current_password: str | None = None
    active_env_id: str | UnsetType | None = UNSET
    is_active: bool | UnsetType = UNSET
    is_superuser: bool | UnsetType = UNSET
    is_verified: bool | UnsetType = UNSET


class UserRoutes:
    """Users."""

    def __init__(self, entrance: Entrance, people: People) -> None:
        self._entrance = entrance
        self._people = people

    def routes(self) -> list[HTTPRouteHandler]:
        """The handlers."""
        return [
            *read("/api/users", self.page, _PAGE),
            *read("/api/users/me", self.me, _ME),
            change("PATCH", "/api/users/me", self.patch_me, _PATCH_ME),
            *read("/api/users/{user_id:str}", self.find, _FIND),
            change("PATCH", "/api/users/{user_id:str}", self.patch, _PATCH),
            change("DELETE", "/api/users/{user_id:str}", self.delete, _DELETE),
        ]

    async def page(self, request: Request[Any, Any, Any]) -> Answer:
        """List users.

        Those who belong to an environment of the caller's, oldest first; for a superuser all.
        """
        caller = await self._entrance.caller(request, IS_KNOWN)
        page = await self._people.page(caller, span_of(request))
        return json_answer(200, page_document(page, [document_of(user) for user in page.items]))

    async def me(self, request: Request[Any, Any, Any]) -> Answer:
        """Who is signed in."""
        caller = await self._entrance.caller(request, IS_KNOWN)
        return json_answer(200, document_of(await self._people.find(caller, caller.user.id)))

    async def patch_me(self, request: Request[Any, Any, Any]) -> Answer:
        """Change oneself."""
        return await self._patch(request, None)

    async def find(self, request: Request[Any, Any, Any]) -> Answer:
        """A user."""
        caller = await self._entrance.caller(request, IS_KNOWN)
        found = await self._people.find(caller, request.scope["path_params"]["user_id"])
        return json_answer(200, document_of(found))

    async def patch(self, request: Request[Any, Any, Any]) -> Answer:
        """Change a user.

        Everybody himself, superusers anybody. `is_active`, `is_superuser` and `is_verified` are for
        superusers; with one's own `email` and `password` goes `current_password`.
        """
        return await self._patch(request, request.scope["path_params"]["user_id"])

    async def delete(self, request: Request[Any, Any, Any]) -> Response[None]:
        """Delete a user.

        Everybody himself, superusers anybody; not the last owner of an environment.
        """
        caller = await self._entrance.caller(request, IS_HIMSELF)
        await self._people.delete(caller, request.scope["path_params"]["user_id"])
        return NO_CONTENT

    async def _patch(self, request: Request[Any, Any, Any], user_id: str | None) -> Answer:
        caller = await self._entrance.caller(request, IS_HIMSELF)
        values = said_in(await read_form(request, UserChanges))
        if "active_env_id" in values:
            values["environment_id"] = values.pop("active_env_id")
        changed = await self._people.change(caller, user_id or caller.user.id, **values)
        return json_answer(200, document_of(changed))


_CHANGES = {
    "type": "object",
    "properties": {
        "name": {"type": "string", "minLength": 1, "maxLength": 128},
        "email": EMAIL,
        "password": PASSWORD,
        "current_password": {"type": ["string", "null"]},
        "active_env_id": {"type": ["string", "null"]},
        "is_active": {"type": "boolean"},
        "is_superuser": {"type": "boolean"},
        "is_verified": {"type": "boolean"},
    },
}
_BODY = body_of(
    "What shall be otherwise.",
    json=(_CHANGES, {"active_env_id": "d455a981-be17-455e-a03c-4d9c3224db72"}),
)
_ONE = document(200, UserDocument, "The user.", A_USER)
_ID = text_parameter("user_id", "The user's `id`.", where="path")
_PATCHED = [
    _ONE,
    refused(400, "`UPDATE_USER_EMAIL_ALREADY_EXISTS`, `CHANGE_PASSWORD_BAD_PASSWORD`"),
    *SIGNED_IN_ALWAYS,
    CONFLICT,
    *BODY_REFUSED,
    WRONG,
    TOO_OFTEN,
]
_PAGE = Said(
    "users",
    IS_KNOWN,
    [document(200, PageDocument[UserDocument], "A page of them."), *SIGNED_IN_ALWAYS, WRONG],
    PAGE_PARAMETERS,
)
_ME = Said("users", IS_KNOWN, [_ONE, *SIGNED_IN_ALWAYS])
_PATCH_ME = Said("users", IS_HIMSELF, _PATCHED, body=_BODY)
_FIND = Said("users", IS_KNOWN, [_ONE, *SIGNED_IN_ALWAYS, NOT_THERE], [_ID])
_PATCH = Said("users", IS_HIMSELF, [*_PATCHED, NOT_THERE], [_ID], _BODY)
_DELETE = Said(
    "users",
    IS_HIMSELF,
    [document(204, None, "Deleted."), *SIGNED_IN_ALWAYS, NOT_THERE, CONFLICT],
    [_ID],
)
