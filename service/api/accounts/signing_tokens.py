"""`/api/v1/signing-tokens`: who may send signed events for an account and a workspace."""

from datetime import datetime
from typing import Any

import msgspec
from litestar import Request
from litestar.handlers import HTTPRouteHandler

from service.accounts.audit import Actor
from service.accounts.principals import Principal
from service.accounts.signing_tokens import (
    SCHEMES,
    NewSigningToken,
    Scheme,
    SigningToken,
    SigningTokens,
    Wanted,
)
from service.api.answers import Answer, Success, headers_of, iso, iso_if, json_answer
from service.api.forms import expiry_of, read_form, said_in
from service.api.guards import ADMINISTERS, OWNS, Gate, Rule
from service.api.openapi import Said, body_of, change, data, read, refusal, text_parameter
from service.api.rate_limits import Turnstile
from service.api.rotation import OVER, ROTATION, read_grace


class TokenRequest(msgspec.Struct, rename="camel", forbid_unknown_fields=True):
    """The token that is wanted."""

    account_id: str
    workspace_id: str
    name: str = ""
    scheme: Scheme | None = None
    requires_nonce: bool = False
    expires_at: datetime | None = None


class TokenChange(msgspec.Struct, rename="camel", forbid_unknown_fields=True, omit_defaults=True):
    """What shall be different; what is left out stays."""

    name: str | msgspec.UnsetType = msgspec.UNSET
    scheme: Scheme | msgspec.UnsetType | None = msgspec.UNSET
    requires_nonce: bool | msgspec.UnsetType = msgspec.UNSET


class TokenReport(msgspec.Struct, rename="camel", kw_only=True):
    """What may be told of a token; the token itself was shown once, when it was made."""

    token_id: str
    account_id: str
    workspace_id: str
    name: str
    prefix: str
    scheme: str | None
    requires_nonce: bool
    created_at: str
    last_used_at: str | None
    last_scheme: str | None
    expires_at: str | None
    revoked_at: str | None
    replaced_by: str | None


class NewTokenReport(TokenReport, kw_only=True):
    """A token just made. `token` cannot be had again."""

    token: str


class TokenList(msgspec.Struct):
    """The tokens of an environment, revoked ones too, oldest first."""

    tokens: list[TokenReport]


class SigningTokenRoutes:
    """Signing tokens as their environment's owner and administrators see them."""

    def __init__(self, gate: Gate, turnstile: Turnstile, tokens: SigningTokens) -> None:
        self._gate = gate
        self._turnstile = turnstile
        self._tokens = tokens

    def routes(self) -> list[HTTPRouteHandler]:
        """The handlers."""
        return [
            change("POST", "/api/v1/signing-tokens", self.make_token, _MAKE),
            *read("/api/v1/signing-tokens", self.list_tokens, _LIST),
            *read("/api/v1/signing-tokens/{token_id:str}", self.one_token, _ONE),
            change("PATCH", "/api/v1/signing-tokens/{token_id:str}", self.change_token, _CHANGE),
            change("DELETE", "/api/v1/signing-tokens/{token_id:str}", self.revoke_token, _REVOKE),
            change("POST", "/api/v1/signing-tokens/{token_id:str}/rotate", self.rotate, _ROTATE),
        ]

    async def make_token(self, request: Request[Any, Any, Any]) -> Answer:
        """Make a signing token.

        It is shown this once. It is for one account and one workspace of the environment that the
        user works in.
        """
        caller, by = await self._caller(request, OWNS)
        form = await read_form(request, TokenRequest)
        new = await self._tokens.create(_wanted(form), caller.tenant, by)
        return json_answer(201, Success(data=_new_report(new)))

    async def list_tokens(self, request: Request[Any, Any, Any]) -> Answer:
        """List the signing tokens."""
        caller, _ = await self._caller(request, ADMINISTERS)
        tokens = await self._tokens.list(caller.tenant)
        return json_answer(200, Success(data=TokenList([_report(token) for token in tokens])))

    async def one_token(self, request: Request[Any, Any, Any]) -> Answer:
        """One signing token."""
        caller, _ = await self._caller(request, ADMINISTERS)
        token = await self._tokens.get(_token_id(request), caller.tenant)
        return json_answer(200, Success(data=_report(token)))

    async def change_token(self, request: Request[Any, Any, Any]) -> Answer:
        """Change a signing token.

        Its name; the one way of deriving the key that it accepts (null accepts all); whether
        requests must carry a time and a nonce.
        """
        caller, by = await self._caller(request, OWNS)
        form = await read_form(request, TokenChange)
        token = await self._tokens.change(_token_id(request), caller.tenant, said_in(form), by)
        return json_answer(200, Success(data=_report(token)))

    async def revoke_token(self, request: Request[Any, Any, Any]) -> Answer:
        """Revoke a signing token.

        It is refused everywhere within a second. Revoking it again changes nothing.
        """
        caller, by = await self._caller(request, ADMINISTERS)
        token = await self._tokens.revoke(_token_id(request), caller.tenant, by)
        return json_answer(200, Success(data=_report(token)))

    async def rotate(self, request: Request[Any, Any, Any]) -> Answer:
        """Rotate a signing token.

        A new token for the same; the former one stays valid beside it for `graceSeconds`, a day
        if nothing is said.
        """
        caller, by = await self._caller(request, OWNS)
        grace = await read_grace(request)
        new = await self._tokens.rotate(_token_id(request), caller.tenant, grace, by)
        return json_answer(201, Success(data=_new_report(new)))

    async def _caller(self, request: Request[Any, Any, Any], rule: Rule) -> tuple[Principal, Actor]:
        """For whom the request speaks, and how the audit log names him."""
        headers = headers_of(request.scope)
        caller = await self._gate.caller(headers, rule)
        return caller, caller.actor(self._turnstile.address_of(request.scope))


def _token_id(request: Request[Any, Any, Any]) -> str:
    return str(request.scope["path_params"]["token_id"])


def _wanted(form: TokenRequest) -> Wanted:
    return Wanted(
        account_id=form.account_id,
        workspace_id=form.workspace_id,
        name=form.name or f"{form.account_id}/{form.workspace_id}"[:128],
        scheme=form.scheme,
        requires_nonce=form.requires_nonce,
        expires_at=expiry_of(form.expires_at),
    )


def _told(token: SigningToken) -> dict[str, Any]:
    return {
        "token_id": token.id,
        "account_id": token.account_id,
        "workspace_id": token.workspace_id,
        "name": token.name,
        "prefix": token.prefix,
        "scheme": token.scheme,
        "requires_nonce": token.requires_nonce,
        "created_at": iso(token.created_at),
        "last_used_at": iso_if(token.last_used_at),
        "last_scheme": token.last_scheme,
        "expires_at": iso_if(token.expires_at),
        "revoked_at": iso_if(token.revoked_at),
        "replaced_by": token.successor_id,
    }


def _report(token: SigningToken) -> TokenReport:
    return TokenReport(**_told(token))


def _new_report(new: NewSigningToken) -> NewTokenReport:
    return NewTokenReport(token=new.text, **_told(new.token))


_TOKEN = {
    "tokenId": "sgt_0123456789abcdef",
    "accountId": "acc1",
    "workspaceId": "ws1",
    "name": "casino",
    "prefix": "evt_lV4gXA",
    "scheme": None,
    "requiresNonce": False,
    "createdAt": "2024-01-30T10:00:00.000Z",
    "lastUsedAt": None,
    "lastScheme": None,
    "expiresAt": None,
    "revokedAt": None,
    "replacedBy": None,
}
_NEW = {**_TOKEN, "token": "evt_lV4gXA78mzlEjhpRIoyRx-trBxKs0g701MeEvPcrvZY"}
_NAME = {"type": "string", "minLength": 1, "maxLength": 128}
_SCHEME = {"type": ["string", "null"], "enum": [*SCHEMES, None]}
_WANTED = {
    "type": "object",
    "required": ["accountId", "workspaceId"],
    "additionalProperties": False,
    "properties": {
        "accountId": _NAME,
        "workspaceId": _NAME,
        "name": {"type": "string", "maxLength": 128},
        "scheme": _SCHEME,
        "requiresNonce": {"type": "boolean", "default": False},
        "expiresAt": {"type": ["string", "null"], "format": "date-time"},
    },
}
_CHANGES = {
    "type": "object",
    "additionalProperties": False,
    "properties": {"name": _NAME, "scheme": _SCHEME, "requiresNonce": {"type": "boolean"}},
}
_ID = [text_parameter("token_id", "The token's `tokenId`.", where="path")]
_WRONG = refusal(400, "A field is wrong; the message names it.")
_REFUSALS = [
    refusal(401, "No key or token, or not a valid one."),
    refusal(403, "Without the scope `admin`, or by a user who does not own the environment."),
    refusal(503, "The accounts' database does not answer; see `Retry-After`."),
]
_NOT_THERE = refusal(404, "There is no such token.")
_MAKE = Said(
    "signing",
    OWNS,
    [data(201, NewTokenReport, "The token, this once.", _NEW), _WRONG, *_REFUSALS],
    body=body_of(
        "The token that is wanted.", json=(_WANTED, {"accountId": "acc1", "workspaceId": "ws1"})
    ),
)
_LIST = Said(
    "signing",
    ADMINISTERS,
    [data(200, TokenList, "The tokens.", {"tokens": [_TOKEN]}), *_REFUSALS],
)
_ONE = Said(
    "signing",
    ADMINISTERS,
    [data(200, TokenReport, "The token.", _TOKEN), *_REFUSALS, _NOT_THERE],
    _ID,
)
_CHANGE = Said(
    "signing",
    OWNS,
    [data(200, TokenReport, "Changed.", _TOKEN), _WRONG, *_REFUSALS, _NOT_THERE, OVER],
    _ID,
    body=body_of("What shall be different.", json=(_CHANGES, {"scheme": "hkdf"})),
)
_REVOKE = Said(
    "signing",
    ADMINISTERS,
    [data(200, TokenReport, "Revoked."), *_REFUSALS, _NOT_THERE],
    _ID,
)
_ROTATE = Said(
    "signing",
    OWNS,
    [data(201, NewTokenReport, "The successor.", _NEW), _WRONG, *_REFUSALS, _NOT_THERE, OVER],
    _ID,
    body=ROTATION,
)
