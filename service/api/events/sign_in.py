"""`/api/auth/…`: signing in with a code sent by e-mail, and out."""

from typing import Annotated, Any, Literal

import msgspec
from litestar import Request
from litestar.handlers import HTTPRouteHandler

from service.accounts.sessions import Sessions
from service.accounts.sign_in import SignIn
from service.accounts.users import User
from service.api.answers import Answer, Headers, Success, headers_of, iso, json_answer
from service.api.forms import read_form
from service.api.guards import SIGNED_IN, SIGNS_IN, Gate
from service.api.openapi import Said, body_of, change, data, read, refusal
from service.api.rate_limits import Turnstile

Role = Literal["USER"]
"""The only role that this face has; what a user may do hangs on his environment."""


class CodeRequest(msgspec.Struct):
    """Who wants to sign in."""

    email: str


class Code(msgspec.Struct):
    """What came by e-mail."""

    email: str
    code: Annotated[str, msgspec.Meta(pattern="^[0-9]{6}$", max_length=6)]


class Done(msgspec.Struct):
    """That it was done."""

    message: str


class UserReport(msgspec.Struct):
    """Who has signed in."""

    id: str
    email: str
    role: Role
    name: str


class Session(msgspec.Struct):
    """A session begun: send `token` as `Authorization: Bearer`."""

    token: str
    user: UserReport
    message: str


class Me(msgspec.Struct, rename="camel"):
    """Who is signed in, and where he works."""

    id: str
    email: str
    role: Role
    created_at: str
    name: str
    environment_id: str | None


class SignInRoutes:
    """Signing in and out, as people do it."""

    def __init__(
        self, gate: Gate, turnstile: Turnstile, sign_in: SignIn, sessions: Sessions
    ) -> None:
        self._gate = gate
        self._turnstile = turnstile
        self._sign_in = sign_in
        self._sessions = sessions

    def routes(self) -> list[HTTPRouteHandler]:
        """The handlers."""
        return [
            change("POST", "/api/auth/request-code", self.request_code, _REQUEST_CODE),
            change("POST", "/api/auth/verify", self.verify, _VERIFY),
            change("POST", "/api/auth/logout", self.log_out, _LOG_OUT),
            *read("/api/auth/me", self.me, _ME),
        ]

    async def request_code(self, request: Request[Any, Any, Any]) -> Answer:
        """Send a code to an e-mail address.

        It is good for 10 minutes and 5 tries; a new one replaces it. Whether the address has an
        account makes no difference.
        """
        _, address = self._from(request)
        form = await read_form(request, CodeRequest)
        await self._sign_in.request_code(form.email, address)
        return json_answer(200, Success(data=Done(f"Verification code sent to {form.email}")))

    async def verify(self, request: Request[Any, Any, Any]) -> Answer:
        """Sign in with the code.

        The first time makes the account. The token is good for 24 hours.
        """
        _, address = self._from(request)
        form = await read_form(request, Code)
        welcome = await self._sign_in.verify(form.email, form.code, address)
        session = Session(welcome.token, _report(welcome.user), "Authentication successful")
        return json_answer(200, Success(data=session))

    async def log_out(self, request: Request[Any, Any, Any]) -> Answer:
        """End this session.

        The token is refused everywhere within a second.
        """
        headers, address = self._from(request)
        signed_in = await self._gate.user(headers, SIGNED_IN)
        await self._sessions.end(signed_in, address)
        return json_answer(200, Success(data=Done("Signed out")))

    async def me(self, request: Request[Any, Any, Any]) -> Answer:
        """Who is signed in."""
        headers, _ = self._from(request)
        user = (await self._gate.user(headers, SIGNED_IN)).user
        me = Me(user.id, user.email, "USER", iso(user.created_at), user.name, user.environment_id)
        return json_answer(200, Success(data=me))

    def _from(self, request: Request[Any, Any, Any]) -> tuple[Headers, str]:
        """The headers, and the address it comes from."""
        return headers_of(request.scope), self._turnstile.address_of(request.scope)


def _report(user: User) -> UserReport:
    return UserReport(user.id, user.email, "USER", user.name)


_USER = {"id": "b1e2…", "email": "user@example.com", "role": "USER"}
_TOO_OFTEN = refusal(429, "Too often; see `Retry-After`.")
_AWAY = refusal(503, "The accounts' database does not answer; see `Retry-After`.")
_NOT_SIGNED_IN = refusal(401, "No token, or not a valid one.")
_NO_ROBOT = refusal(403, "Service accounts do not sign in and out.")
_EMAIL = {"type": "string", "format": "email"}
_REQUEST_CODE = Said(
    "sign-in",
    SIGNS_IN,
    [
        data(200, Done, "Sent.", {"message": "Verification code sent to user@example.com"}),
        refusal(400, "This is no e-mail address."),
        _TOO_OFTEN,
        refusal(503, "The letter could not be sent; see `Retry-After`."),
    ],
    body=body_of(
        "Where to send the code.",
        json=(
            {"type": "object", "required": ["email"], "properties": {"email": _EMAIL}},
            {"email": "user@example.com"},
        ),
    ),
)
_VERIFY = Said(
    "sign-in",
    SIGNS_IN,
    [
        data(
            200,
            Session,
            "Signed in.",
            {
                "token": "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9…",
                "user": {**_USER, "name": "user"},
                "message": "Authentication successful",
            },
        ),
        refusal(400, "A code has six digits."),
        refusal(401, "Not the code, or not good any more."),
        _TOO_OFTEN,
        _AWAY,
    ],
    body=body_of(
        "The code that came.",
        json=(
            {
                "type": "object",
                "required": ["email", "code"],
                "properties": {
                    "email": _EMAIL,
                    "code": {"type": "string", "pattern": "^[0-9]{6}$"},
                },
            },
            {"email": "user@example.com", "code": "123456"},
        ),
    ),
)
_LOG_OUT = Said(
    "sign-in",
    SIGNED_IN,
    [data(200, Done, "Signed out."), _NOT_SIGNED_IN, _NO_ROBOT, _TOO_OFTEN, _AWAY],
)
_ME = Said(
    "sign-in",
    SIGNED_IN,
    [
        data(
            200,
            Me,
            "The user.",
            {
                **_USER,
                "createdAt": "2024-01-30T10:00:00.000Z",
                "name": "user",
                "environmentId": "env_0123456789abcdef01234567",
            },
        ),
        _NOT_SIGNED_IN,
        _NO_ROBOT,
        _TOO_OFTEN,
        _AWAY,
    ],
)
