"""`/api/auth/api-key`: the keys of an environment, made, listed, changed, rotated and revoked."""

from typing import Any

from litestar import Request
from litestar.handlers import HTTPRouteHandler

from service.accounts.audit import Actor
from service.accounts.keys import Keys
from service.accounts.principals import Principal
from service.api.answers import Answer, Success, headers_of, json_answer
from service.api.events.key_forms import (
    CHANGES,
    KEY,
    NEW_KEY,
    WANTED,
    KeyChange,
    KeyList,
    KeyReport,
    KeyRequest,
    NewKeyReport,
    new_report,
    report,
)
from service.api.forms import expiry_of, read_form, said_in
from service.api.guards import KEEPS_KEYS, MAKES_KEYS, Gate, Rule
from service.api.openapi import Said, body_of, change, data, read, refusal, text_parameter
from service.api.rate_limits import Turnstile
from service.api.rotation import OVER, ROTATION, read_grace


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
            *read("/api/auth/api-key/{key_id:str}", self.one_key, _ONE),
            change("PATCH", "/api/auth/api-key/{key_id:str}", self.change_key, _CHANGE),
            change("DELETE", "/api/auth/api-key/{key_id:str}", self.revoke_key, _REVOKE),
            change("POST", "/api/auth/api-key/{key_id:str}/rotate", self.rotate_key, _ROTATE),
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
        return json_answer(200, Success(data=new_report(new)))

    async def list_keys(self, request: Request[Any, Any, Any]) -> Answer:
        """List the keys."""
        caller, _ = await self._caller(request, KEEPS_KEYS)
        keys = await self._keys.list(caller.tenant)
        return json_answer(200, Success(data=KeyList([report(key) for key in keys])))

    async def one_key(self, request: Request[Any, Any, Any]) -> Answer:
        """One key."""
        caller, _ = await self._caller(request, KEEPS_KEYS)
        key = await self._keys.get(_key_id(request), caller.tenant)
        return json_answer(200, Success(data=report(key)))

    async def change_key(self, request: Request[Any, Any, Any]) -> Answer:
        """Change a key.

        Its name, scopes, tier, or its end (null: none); what is left out stays. It holds
        everywhere within a second.
        """
        caller, by = await self._caller(request, MAKES_KEYS)
        form = await read_form(request, KeyChange)
        changes = said_in(form)
        if "expires_at" in changes:
            changes["expires_at"] = expiry_of(changes["expires_at"])
        key = await self._keys.change(_key_id(request), changes, caller.tenant, by)
        return json_answer(200, Success(data=report(key)))

    async def rotate_key(self, request: Request[Any, Any, Any]) -> Answer:
        """Rotate a key.

        A new key of the same name, scopes and tier, shown this once; the former one stays valid
        beside it for `graceSeconds`, a day if nothing is said.
        """
        caller, by = await self._caller(request, MAKES_KEYS)
        grace, former = await read_grace(request), _key_id(request)
        new = await self._keys.rotate(former, grace, caller.tenant, by)
        return json_answer(200, Success(data=new_report(new, former)))

    async def revoke_key(self, request: Request[Any, Any, Any]) -> Answer:
        """Revoke a key.

        It is refused everywhere within a second. Revoking it again changes nothing.
        """
        caller, by = await self._caller(request, KEEPS_KEYS)
        key = await self._keys.revoke(_key_id(request), caller.tenant, by)
        return json_answer(200, Success(data=report(key)))

    async def _caller(self, request: Request[Any, Any, Any], rule: Rule) -> tuple[Principal, Actor]:
        """For whom the request speaks, and how the audit log names him."""
        headers = headers_of(request.scope)
        address = self._turnstile.address_of(request.scope)
        caller = await self._gate.caller(headers, rule)
        return caller, caller.actor(address)


def _key_id(request: Request[Any, Any, Any]) -> str:
    return str(request.scope["path_params"]["key_id"])


_TOO_OFTEN = refusal(429, "Too often; see `Retry-After`.")
_WRONG = refusal(400, "A field is wrong, or the environment has too many keys.")
_REFUSALS = [
    refusal(401, "No key or token, or not a valid one."),
    refusal(403, "The key has not the scope `admin`, or the user does not own the environment."),
    _TOO_OFTEN,
]
_MAKE = Said(
    "keys",
    MAKES_KEYS,
    [
        data(200, NewKeyReport, "The key, this once.", NEW_KEY),
        _WRONG,
        refusal(401, "No token, or not a valid one."),
        refusal(403, "The user does not own the environment, or its tier is smaller."),
        _TOO_OFTEN,
        refusal(500, "The key could not be made: the accounts' database failed."),
    ],
    body=body_of("The key that is wanted.", json=(WANTED, {"name": "Production API Key"})),
)
_ID = [text_parameter("key_id", "The key's `keyId`.", where="path")]
_NOT_THERE = refusal(404, "There is no such key.")
_LIST = Said("keys", KEEPS_KEYS, [data(200, KeyList, "The keys.", {"keys": [KEY]}), *_REFUSALS])
_ONE = Said(
    "keys", KEEPS_KEYS, [data(200, KeyReport, "The key.", KEY), *_REFUSALS, _NOT_THERE], _ID
)
_CHANGE = Said(
    "keys",
    MAKES_KEYS,
    [data(200, KeyReport, "Changed.", KEY), _WRONG, *_REFUSALS, _NOT_THERE, OVER],
    _ID,
    body=body_of("What shall be different.", json=(CHANGES, {"name": "collector"})),
)
_REVOKE = Said(
    "keys", KEEPS_KEYS, [data(200, KeyReport, "Revoked.", KEY), *_REFUSALS, _NOT_THERE], _ID
)
_ROTATE = Said(
    "keys",
    MAKES_KEYS,
    [
        data(200, NewKeyReport, "The successor, this once.", {**NEW_KEY, "replaces": "key_…"}),
        _WRONG,
        *_REFUSALS,
        _NOT_THERE,
        OVER,
    ],
    _ID,
    body=ROTATION,
)
