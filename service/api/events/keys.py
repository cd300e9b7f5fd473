"""`/api/auth/api-key`: the keys of an environment, made, listed and revoked."""

from datetime import datetime
from typing import Any, Literal

import msgspec
from litestar import Request
from litestar.handlers import HTTPRouteHandler

from service.accounts.audit import Actor
from service.accounts.keys import SCOPES, Key, Keys, NewKey, Principal
from service.accounts.tiers import TIERS
from service.api.answers import Answer, Success, headers_of, iso, iso_if, json_answer
from service.api.forms import expiry_of, read_form
from service.api.guards import KEEPS_KEYS, MAKES_KEYS, Gate, Rule
from service.api.openapi import Said, body_of, change, data, read, refusal, text_parameter
from service.api.rate_limits import Turnstile

Scope = Literal["ingest", "read", "admin"]

USUAL_SCOPES: tuple[Scope, ...] = ("ingest", "read")
"""What a key made over HTTP may do if nothing else is said."""


class KeyRequest(msgspec.Struct, rename="camel", forbid_unknown_fields=True):
    """The key that is wanted. A field that nobody knows is refused: it may have been a limit."""

    name: str
    scopes: list[Scope] = msgspec.field(default_factory=lambda: list(USUAL_SCOPES))
    expires_at: datetime | None = None
    tier: str | None = None
    signs: bool = False


class KeyReport(msgspec.Struct, rename="camel"):
    """What may be told of a key; the key itself was shown once, when it was made."""

    key_id: str
    name: str
    prefix: str
    scopes: list[str]
    tier: str
    created_at: str
    last_used_at: str | None
    expires_at: str | None
    revoked_at: str | None
    signs: bool


class KeyList(msgspec.Struct):
    """The keys of an environment, revoked ones too, oldest first."""

    keys: list[KeyReport]


class NewKeyReport(msgspec.Struct, rename="camel"):
    """A key just made. `apiKey` cannot be had again, nor can `signingSecret`, if it signs."""

    api_key: str
    message: str
    key_id: str
    name: str
    prefix: str
    scopes: list[str]
    tier: str
    created_at: str
    expires_at: str | None
    signs: bool
    signing_secret: str | msgspec.UnsetType = msgspec.UNSET


class KeyRoutes:
    """Keys as their environment's owner and administrators see them."""

    def __init__(self, gate: Gate, turnstile: Turnstile, keys: Keys) -> None:
        self._gate = gate
        self._turnstile = turnstile
        self._keys = keys

    def routes(self) -> list[HTTPRouteHandler]:
        """The handlers."""
        return [
            change("POST", "/api/auth/api-key", self.make_key, _MAKE),
            *read("/api/auth/api-key", self.list_keys, _LIST),
            change("DELETE", "/api/auth/api-key/{key_id:str}", self.revoke_key, _REVOKE),
        ]

    async def make_key(self, request: Request[Any, Any, Any]) -> Answer:
        """Make a key.

        It is shown this once. It belongs to the environment that the user works in. One that
        `signs` is good for signed requests alone, under its `signingSecret`.
        """
        caller, by = await self._caller(request, MAKES_KEYS)
        form = await read_form(request, KeyRequest)
        until = expiry_of(form.expires_at)
        new = await self._keys.create(
            form.name,
            form.scopes,
            tenant=caller.tenant,
            tier=form.tier,
            expires_at=until,
            signs=form.signs,
            by=by,
        )
        return json_answer(200, Success(data=_new_report(new)))

    async def list_keys(self, request: Request[Any, Any, Any]) -> Answer:
        """List the keys."""
        caller, _ = await self._caller(request, KEEPS_KEYS)
        keys = await self._keys.list(caller.tenant)
        return json_answer(200, Success(data=KeyList([_report(key) for key in keys])))

    async def revoke_key(self, request: Request[Any, Any, Any]) -> Answer:
        """Revoke a key.

        It is refused everywhere within a second. Revoking it again changes nothing.
        """
        caller, by = await self._caller(request, KEEPS_KEYS)
        key = await self._keys.revoke(request.scope["path_params"]["key_id"], caller.tenant, by)
        return json_answer(200, Success(data=_report(key)))

    async def _caller(self, request: Request[Any, Any, Any], rule: Rule) -> tuple[Principal, Actor]:
        """For whom the request speaks, and how the audit log names him."""
        headers = headers_of(request.scope)
        address = await self._turnstile.count(request.scope, headers)
        caller = await self._gate.caller(headers, rule)
        return caller, caller.actor(address)


def _new_report(new: NewKey) -> NewKeyReport:
    key = new.key
    return NewKeyReport(
        api_key=new.text,
        message="API key generated successfully",
        key_id=key.id,
        name=key.name,
        prefix=key.prefix,
        scopes=sorted(key.scopes),
        tier=key.tier,
        created_at=iso(key.created_at),
        expires_at=iso_if(key.expires_at),
        signs=key.signs,
        signing_secret=new.signing_secret or msgspec.UNSET,
    )


def _report(key: Key) -> KeyReport:
    return KeyReport(
        key_id=key.id,
        name=key.name,
        prefix=key.prefix,
        scopes=sorted(key.scopes),
        tier=key.tier,
        created_at=iso(key.created_at),
        last_used_at=iso_if(key.last_used_at),
        expires_at=iso_if(key.expires_at),
        revoked_at=iso_if(key.revoked_at),
        signs=key.signs,
    )


_NEW = {
    "apiKey": "evp_lV4gXA78mzlEjhpRIoyRx-trBxKs0g701MeEvPcrvZY",
    "message": "API key generated successfully",
    "keyId": "key_0123456789abcdef",
    "name": "Production API Key",
    "prefix": "evp_lV4gXA",
    "scopes": ["ingest", "read"],
    "tier": "free",
    "createdAt": "2024-01-30T10:00:00.000Z",
    "expiresAt": None,
    "signs": False,
}
_WANTED = {
    "type": "object",
    "required": ["name"],
    "additionalProperties": False,
    "properties": {
        "name": {"type": "string", "minLength": 1, "maxLength": 128},
        "scopes": {
            "type": "array",
            "items": {"type": "string", "enum": list(SCOPES)},
            "minItems": 1,
            "default": list(USUAL_SCOPES),
        },
        "expiresAt": {"type": ["string", "null"], "format": "date-time"},
        "tier": {"type": ["string", "null"], "enum": [*TIERS, None]},
        "signs": {"type": "boolean", "default": False},
    },
}
_TOO_OFTEN = refusal(429, "Too often; see `Retry-After`.")
_REFUSALS = [
    refusal(401, "No key or token, or not a valid one."),
    refusal(403, "The key has not the scope `admin`, or the user does not own the environment."),
    _TOO_OFTEN,
]
_MAKE = Said(
    "keys",
    MAKES_KEYS,
    [
        data(200, NewKeyReport, "The key, this once.", _NEW),
        refusal(400, "A field is wrong, or the environment has too many keys."),
        refusal(401, "No token, or not a valid one."),
        refusal(403, "The user does not own the environment, or its tier is smaller."),
        _TOO_OFTEN,
        refusal(500, "The key could not be made: the accounts' database failed."),
    ],
    body=body_of("The key that is wanted.", json=(_WANTED, {"name": "Production API Key"})),
)
_LIST = Said("keys", KEEPS_KEYS, [data(200, KeyList, "The keys."), *_REFUSALS])
_REVOKE = Said(
    "keys",
    KEEPS_KEYS,
    [data(200, KeyReport, "Revoked."), *_REFUSALS, refusal(404, "There is no such key.")],
    [text_parameter("key_id", "The key's `keyId`.", where="path")],
)
