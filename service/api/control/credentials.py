"""`/api/users/me/…`: a user's own password and service accounts."""

from typing import Any, Literal

import msgspec
from litestar import Request, Response
from litestar.handlers import HTTPRouteHandler

from service.accounts.logins import Logins
from service.accounts.service_accounts import (
    LONGEST_DAYS,
    USUAL_DAYS,
    ServiceAccount,
    ServiceAccounts,
)
from service.api.answers import NO_CONTENT, Answer, iso, json_answer
from service.api.control.entrance import Entrance
from service.api.control.people import PASSWORD
from service.api.control.said import (
    BODY_REFUSED,
    CONFLICT,
    ENVIRONMENT_HEADER,
    NO_ENVIRONMENT,
    NOT_THERE,
    SIGNED_IN_ALWAYS,
    TOO_OFTEN,
    WRONG,
    refused,
)
from service.api.forms import read_form
from service.api.guards import ACTS
from service.api.openapi import Said, body_of, change, document, read, text_parameter


class PasswordChange(msgspec.Struct):
    """The password there is, and the one that shall be."""

    current_password: str
    new_password: str


class NewServiceAccount(msgspec.Struct):
    """The service account that is wanted."""

    name: str = ""
    expires_in_days: int = USUAL_DAYS


class ServiceAccountDocument(msgspec.Struct):
    """What may be told of a service account; its token was shown once."""

    id: str
    name: str
    env_id: str
    created_at: str
    last_used_at: str | None
    expires_at: str
    revoked_at: str | None


class NewServiceAccountDocument(msgspec.Struct):
    """A service account just made. `access_token` cannot be had again."""

    id: str
    name: str
    env_id: str
    access_token: str
    created_at: str
    expires_at: str
    token_type: Literal["bearer"] = "bearer"  # noqa: S105


class CredentialRoutes:
    """A user's own password and service accounts."""

    def __init__(self, entrance: Entrance, logins: Logins, accounts: ServiceAccounts) -> None:
        self._entrance = entrance
        self._logins = logins
        self._accounts = accounts

    def routes(self) -> list[HTTPRouteHandler]:
        """The handlers."""
        one = "/api/users/me/service-account-token/{account_id:str}"
        return [
            change("POST", "/api/users/me/change-password", self.change_password, _PASSWORD),
            change("POST", "/api/users/me/service-account-token", self.make, _MAKE),
            *read("/api/users/me/service-account-token", self.list_all, _LIST),
            change("DELETE", one, self.revoke, _REVOKE),
        ]

    async def change_password(self, request: Request[Any, Any, Any]) -> Response[None]:
        """Change one's password.

        It ends all other sessions; service accounts go on.
        """
        caller = await self._entrance.caller(request, ACTS)
        form = await read_form(request, PasswordChange)
        former, new = form.current_password, form.new_password
        await self._logins.change_password(caller.session, former, new, caller.by)
        return NO_CONTENT

    async def make(self, request: Request[Any, Any, Any]) -> Answer:
        """Make a service account for the environment.

        Its token is shown this once. It may do what its user may, there and nowhere else.
        """
        caller = await self._entrance.caller(request, ACTS)
        form = await read_form(request, NewServiceAccount, usual=NewServiceAccount())
        made, token = await self._accounts.make(caller, form.name, form.expires_in_days)
        return json_answer(201, _new_document(made, token))

    async def list_all(self, request: Request[Any, Any, Any]) -> Answer:
        """List one's service accounts."""
        caller = await self._entrance.caller(request, ACTS)
        return json_answer(200, [_document(found) for found in await self._accounts.list(caller)])

    async def revoke(self, request: Request[Any, Any, Any]) -> Response[None]:
        """Revoke a service account.

        Its token is refused everywhere within a second. Revoking it again changes nothing.
        """
        caller = await self._entrance.caller(request, ACTS)
        await self._accounts.revoke(caller, request.scope["path_params"]["account_id"])
        return NO_CONTENT


def _document(account: ServiceAccount) -> ServiceAccountDocument:
    return ServiceAccountDocument(
        id=account.id,
        name=account.name,
        env_id=account.environment_id,
        created_at=iso(account.created_at),
        last_used_at=_moment(account.last_used_at),
        expires_at=iso(account.expires_at),
        revoked_at=_moment(account.revoked_at),
    )


def _new_document(account: ServiceAccount, token: str) -> NewServiceAccountDocument:
    return NewServiceAccountDocument(
        id=account.id,
        name=account.name,
        env_id=account.environment_id,
        access_token=token,
        created_at=iso(account.created_at),
        expires_at=iso(account.expires_at),
    )


def _moment(at: int | None) -> str | None:
    return None if at is None else iso(at)


_EXAMPLE = {
    "id": "ses_0123456789abcdef0123456789abcdef",
    "name": "nightly export",
    "env_id": "d455a981-be17-455e-a03c-4d9c3224db72",
    "created_at": "2025-11-19T10:00:00.000Z",
    "expires_at": "2026-11-19T10:00:00.000Z",
}
_MADE = {**_EXAMPLE, "access_token": "eyJhbGciOiJIUzI1NiJ9…", "token_type": "bearer"}
_LISTED = {**_EXAMPLE, "last_used_at": None, "revoked_at": None}
_PASSWORD = Said(
    "users",
    ACTS,
    [
        document(204, None, "Changed."),
        refused(400, "`CHANGE_PASSWORD_BAD_PASSWORD`"),
        *SIGNED_IN_ALWAYS,
        *BODY_REFUSED,
        WRONG,
        TOO_OFTEN,
    ],
    body=body_of(
        "The password there is, and the one that shall be.",
        json=(
            {
                "type": "object",
                "required": ["current_password", "new_password"],
                "properties": {"current_password": {"type": "string"}, "new_password": PASSWORD},
            },
            {"current_password": "MySecurePassword123!", "new_password": "another, and longer"},
        ),
    ),
)
_MAKE = Said(
    "users",
    ACTS,
    [
        document(201, NewServiceAccountDocument, "The token, this once.", _MADE),
        NO_ENVIRONMENT,
        *SIGNED_IN_ALWAYS,
        NOT_THERE,
        CONFLICT,
        *BODY_REFUSED,
        WRONG,
    ],
    [ENVIRONMENT_HEADER],
    body_of(
        "The service account that is wanted; nothing will do, too.",
        json=(
            {
                "type": "object",
                "properties": {
                    "name": {"type": "string", "maxLength": 128},
                    "expires_in_days": {
                        "type": "integer",
                        "minimum": 1,
                        "maximum": LONGEST_DAYS,
                        "default": USUAL_DAYS,
                    },
                },
            },
            {"name": "nightly export"},
        ),
    ),
)
_LIST = Said(
    "users",
    ACTS,
    [document(200, list[ServiceAccountDocument], "All.", [_LISTED]), *SIGNED_IN_ALWAYS],
)
_REVOKE = Said(
    "users",
    ACTS,
    [document(204, None, "Revoked."), *SIGNED_IN_ALWAYS, NOT_THERE],
    [text_parameter("account_id", "The service account's `id`.", where="path")],
)
