"""`/api/auth/api-key`: the keys of an environment, listed and revoked by one with scope `admin`."""

from typing import Any

import msgspec
from litestar import Request
from litestar.handlers import HTTPRouteHandler

from service.accounts.keys import Key, Keys
from service.api.answers import Answer, Success, headers_of, iso, json_answer
from service.api.guards import Gate
from service.api.openapi import Said, change, data, read, refusal, text_parameter


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


class KeyList(msgspec.Struct):
    """The keys of an environment, revoked ones too, oldest first."""

    keys: list[KeyReport]


class KeyRoutes:
    """Keys as their environment's administrators see them."""

    def __init__(self, gate: Gate, keys: Keys) -> None:
        self._gate = gate
        self._keys = keys

    def routes(self) -> list[HTTPRouteHandler]:
        """The handlers."""
        return [
            *read("/api/auth/api-key", self.list_keys, _LIST),
            change("DELETE", "/api/auth/api-key/{key_id:str}", self.revoke_key, _REVOKE),
        ]

    async def list_keys(self, request: Request[Any, Any, Any]) -> Answer:
        """List the keys."""
        caller = await self._gate.caller(headers_of(request.scope), "admin")
        keys = await self._keys.list(caller.tenant)
        return json_answer(200, Success(data=KeyList([_report(key) for key in keys])))

    async def revoke_key(self, request: Request[Any, Any, Any]) -> Answer:
        """Revoke a key.

        It is refused everywhere within a second. Revoking it again changes nothing.
        """
        scope = request.scope
        caller = await self._gate.caller(headers_of(scope), "admin")
        key = await self._keys.revoke(scope["path_params"]["key_id"], caller.tenant)
        return json_answer(200, Success(data=_report(key)))


def _report(key: Key) -> KeyReport:
    return KeyReport(
        key_id=key.id,
        name=key.name,
        prefix=key.prefix,
        scopes=sorted(key.scopes),
        tier=key.tier,
        created_at=iso(key.created_at),
        last_used_at=_moment(key.last_used_at),
        expires_at=_moment(key.expires_at),
        revoked_at=_moment(key.revoked_at),
    )


def _moment(moment: int | None) -> str | None:
    return None if moment is None else iso(moment)


_REFUSALS = [
    refusal(401, "No API key, or not a valid one."),
    refusal(403, "The key has not the scope `admin`."),
]
_LIST = Said("keys", [data(200, KeyList, "The keys."), *_REFUSALS])
_REVOKE = Said(
    "keys",
    [data(200, KeyReport, "Revoked."), *_REFUSALS, refusal(404, "There is no such key.")],
    [text_parameter("key_id", "The key's `keyId`.", where="path")],
)
