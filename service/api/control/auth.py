"""`/api/auth/…`: accounts with a password, signing in with it, and out."""

from typing import Any, Literal

import msgspec
from litestar import Request, Response
from litestar.handlers import HTTPRouteHandler

from service.accounts.logins import Logins
from service.accounts.passwords import LONGEST, SHORTEST
from service.accounts.sessions import Sessions
from service.api.answers import NO_CONTENT, Answer, json_answer
from service.api.control.entrance import Entrance
from service.api.control.people import A_USER, UserDocument, document_of
from service.api.control.said import AWAY, BODY_REFUSED, NOT_SIGNED_IN, TOO_OFTEN, WRONG, refused
from service.api.forms import read_fields, read_form
from service.api.guards import SIGNED_IN, SIGNS_IN
from service.api.openapi import Said, body_of, change, document


class Registration(msgspec.Struct):
    """Who wants an account. What else is sent (`is_superuser`, …) is for others to decide."""

    email: str
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

    def __init__(self, entrance: Entrance, logins: Logins, sessions: Sessions) -> None:
        self._entrance = entrance
        self._logins = logins
        self._sessions = sessions

    def routes(self) -> list[HTTPRouteHandler]:
        """The handlers."""
        return [
            change("POST", "/api/auth/register", self.register, _REGISTER),
            change("POST", "/api/auth/jwt/login", self.log_in, _LOG_IN),
            change("POST", "/api/auth/jwt/logout", self.log_out, _LOG_OUT),
        ]

    async def register(self, request: Request[Any, Any, Any]) -> Answer:
        """Make an account.

        The first one of an installation is superuser.
        """
        stranger = await self._entrance.stranger(request)
        form = await read_form(request, Registration)
        user = await self._logins.register(form.email, form.password, stranger)
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


EMAIL = {"type": "string", "format": "email"}
PASSWORD = {"type": "string", "minLength": SHORTEST, "maxLength": LONGEST}
_BUSY = refused(503, "The database does not answer, or too many ask; see `Retry-After`.")
_REGISTER = Said(
    "auth",
    SIGNS_IN,
    [
        document(201, UserDocument, "The account.", A_USER),
        refused(400, "`REGISTER_USER_ALREADY_EXISTS`"),
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
                "properties": {"email": EMAIL, "password": PASSWORD},
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
    [document(204, None, "Signed out."), NOT_SIGNED_IN, TOO_OFTEN, AWAY],
)
