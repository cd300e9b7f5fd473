"""`/api/auth/…`: accounts with a password, signing in with it, and out."""

from typing import Any, Literal

import msgspec
from litestar import Request, Response
from litestar.handlers import HTTPRouteHandler

from service.accounts.logins import Logins
from service.accounts.resets import RESET_MINUTES, Resets
from service.accounts.sessions import Sessions
from service.api.answers import NO_CONTENT, Answer, json_answer
from service.api.control.entrance import Entrance
from service.api.control.people import A_USER, EMAIL, PASSWORD, UserDocument, document_of
from service.api.control.problems import Detail
from service.api.control.said import BODY_REFUSED, SIGNED_IN_ALWAYS, TOO_OFTEN, WRONG, refused
from service.api.forms import read_fields, read_form
from service.api.guards import SIGNED_IN, SIGNS_IN
from service.api.openapi import Said, body_of, change, document


class Registration(msgspec.Struct):
    """Who wants an account. What else is sent (`is_superuser`, …) is for others to decide."""

    email: str
    password: str
    invitation: str | None = None
    """The token of an invitation, to be followed at once."""


class Forgotten(msgspec.Struct):
    """Who wants a new password."""

    email: str


class Reset(msgspec.Struct):
    """The token of the letter, and the new password."""

    token: str
    password: str


class Credentials(msgspec.Struct):
    """The fields of the form with which somebody signs in; `username` is the e-mail address."""

    username: str
    password: str


class BearerToken(msgspec.Struct):
    """A session begun: send the token as `Authorization: Bearer`."""

    access_token: str
    token_type: Literal["bearer"] = "bearer"  # noqa: S105


class AuthRoutes:
    """Signing in and out with a password."""

    def __init__(
        self, entrance: Entrance, logins: Logins, resets: Resets, sessions: Sessions
    ) -> None:
        self._entrance = entrance
        self._logins = logins
        self._resets = resets
        self._sessions = sessions

    def routes(self) -> list[HTTPRouteHandler]:
        """The handlers."""
        return [
            change("POST", "/api/auth/register", self.register, _REGISTER),
            change("POST", "/api/auth/jwt/login", self.log_in, _LOG_IN),
            change("POST", "/api/auth/jwt/logout", self.log_out, _LOG_OUT),
            change("POST", "/api/auth/forgot-password", self.forgot, _FORGOT),
            change("POST", "/api/auth/reset-password", self.reset, _RESET),
        ]

    async def register(self, request: Request[Any, Any, Any]) -> Answer:
        """Make an account.

        The first one of an installation is superuser.
        """
        stranger = await self._entrance.stranger(request)
        form = await read_form(request, Registration)
        user = await self._logins.register(form.email, form.password, stranger, form.invitation)
        return json_answer(201, document_of(user))

    async def log_in(self, request: Request[Any, Any, Any]) -> Answer:
        """Sign in with a password.

        The token is good for 24 hours. A wrong password, an address without an account and an
        account that may not be used are answered alike.
        """
        stranger = await self._entrance.stranger(request)
        form = await read_fields(request, Credentials)
        token = await self._logins.log_in(form.username, form.password, stranger)
        return json_answer(200, BearerToken(token))

    async def log_out(self, request: Request[Any, Any, Any]) -> Response[None]:
        """End this session.

        The token is refused everywhere within a second.
        """
        caller = await self._entrance.caller(request, SIGNED_IN)
        await self._sessions.end(caller.session, caller.by.address)
        return NO_CONTENT

    async def forgot(self, request: Request[Any, Any, Any]) -> Answer:
        """Ask for a token with which to set a new password.

        It is mailed. Whether the address has an account makes no difference to the answer.
        """
        stranger = await self._entrance.stranger(request)
        form = await read_form(request, Forgotten)
        await self._resets.ask(form.email, stranger)
        return json_answer(202, Detail("a letter is on its way"))

    async def reset(self, request: Request[Any, Any, Any]) -> Answer:
        """Set a new password.

        It ends all sessions and service accounts of the user, and proves his address.
        """
        stranger = await self._entrance.stranger(request)
        form = await read_form(request, Reset)
        await self._resets.reset(form.token, form.password, stranger)
        return json_answer(200, Detail("the password is set"))


_BUSY = refused(503, "The database does not answer, or too many ask; see `Retry-After`.")
_REGISTER = Said(
    "auth",
    SIGNS_IN,
    [
        document(201, UserDocument, "The account.", A_USER),
        refused(400, "`REGISTER_USER_ALREADY_EXISTS`, `INVITATION_BAD_TOKEN`"),
        *BODY_REFUSED,
        WRONG,
        TOO_OFTEN,
        _BUSY,
    ],
    body=body_of(
        "The account that is wanted.",
        json=(
            {
                "type": "object",
                "required": ["email", "password"],
                "properties": {
                    "email": EMAIL,
                    "password": PASSWORD,
                    "invitation": {"type": ["string", "null"]},
                },
            },
            {"email": "john.doe@company.com", "password": "MySecurePassword123!"},
        ),
    ),
)
_LOG_IN = Said(
    "auth",
    SIGNS_IN,
    [
        document(
            200,
            BearerToken,
            "Signed in.",
            {"access_token": "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9…", "token_type": "bearer"},
        ),
        refused(400, "`LOGIN_BAD_CREDENTIALS`"),
        *BODY_REFUSED,
        WRONG,
        TOO_OFTEN,
        _BUSY,
    ],
    body=body_of(
        "Address and password.",
        form=(
            {
                "type": "object",
                "required": ["username", "password"],
                "properties": {"username": {"type": "string"}, "password": {"type": "string"}},
            },
            {"username": "john.doe@company.com", "password": "MySecurePassword123!"},
        ),
    ),
)
_LOG_OUT = Said(
    "auth",
    SIGNED_IN,
    [document(204, None, "Signed out."), *SIGNED_IN_ALWAYS, TOO_OFTEN],
)
_FORGOT = Said(
    "auth",
    SIGNS_IN,
    [
        document(202, Detail, "A letter is on its way."),
        *BODY_REFUSED,
        WRONG,
        TOO_OFTEN,
        refused(503, "The letter could not be sent; see `Retry-After`."),
    ],
    body=body_of(
        "Where to send it.",
        json=(
            {"type": "object", "required": ["email"], "properties": {"email": EMAIL}},
            {"email": "john.doe@company.com"},
        ),
    ),
)
_RESET = Said(
    "auth",
    SIGNS_IN,
    [
        document(200, Detail, "Set."),
        refused(400, "`RESET_PASSWORD_BAD_TOKEN`"),
        *BODY_REFUSED,
        WRONG,
        TOO_OFTEN,
        _BUSY,
    ],
    body=body_of(
        f"The token of the letter, good for {RESET_MINUTES} minutes, and the new password.",
        json=(
            {
                "type": "object",
                "required": ["token", "password"],
                "properties": {"token": {"type": "string"}, "password": PASSWORD},
            },
            {"token": "lV4gXA78mzlEjhpRIoyRx-trBxKs0g70", "password": "another, and longer"},
        ),
    ),
)
