"""`GET /api/v1/customers` and what lies below it: customers as they were last told."""

import base64
import binascii
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
from litestar import Request
from litestar.handlers import HTTPRouteHandler

from service.api.answers import Answer, Success, headers_of, json_answer
from service.api.direct import WRITTEN_SLASH
from service.api.guards import QUERIES, Gate
from service.api.openapi import Said, data, read, refusal, text_parameter
from service.api.served import parameters_of
from service.errors import InvalidInput
from service.query.customers import MOST_CUSTOMERS, Customer, Customers, Version

_USUAL = 50
_MOST_FIELDS = 10
_PARAMETERS = ("limit", "cursor", "where")


class CustomerPage(msgspec.Struct, rename="camel"):
    """Customers by their ids; `nextCursor` is null on the last page."""

    customers: list[Customer]
    next_cursor: str | None


class CustomerHistory(msgspec.Struct):
    """What was told of one customer, the latest first."""

    versions: list[Version]


class CustomerRoutes:
    """Customers of the caller's environment."""

    def __init__(self, gate: Gate, customers: Customers) -> None:
        self._gate = gate
        self._customers = customers

    def routes(self) -> list[HTTPRouteHandler]:
        """The handlers."""
        return [
            *read("/api/v1/customers", self.page, _PAGE),
            *read("/api/v1/customers/{user_id:str}", self.one, _ONE),
            *read("/api/v1/customers/{user_id:str}/history", self.history, _HISTORY),
        ]

    async def page(self, request: Request[Any, Any, Any]) -> Answer:
        """List customers by their ids."""
        scope = request.scope
        caller = await self._gate.caller(headers_of(scope), QUERIES)
        raw = parameters_of(scope["query_string"])
        _refuse_unknown(raw)
        limit, after, fields = _limit(raw), _after(raw), _fields(raw)
        found = await self._customers.page(caller.tenant, after, limit, fields)
        following = _cursor(found[-1].user_id) if len(found) == limit else None
        return json_answer(200, Success(data=CustomerPage(list(found), following)))

    async def one(self, request: Request[Any, Any, Any]) -> Answer:
        """What is known of one customer."""
        tenant, user_id = await self._named(request)
        return json_answer(200, Success(data=await self._customers.find(tenant, user_id)))

    async def history(self, request: Request[Any, Any, Any]) -> Answer:
        """What was told of one customer."""
        tenant, user_id = await self._named(request)
        versions: Sequence[Version] = await self._customers.history(tenant, user_id)
        return json_answer(200, Success(data=CustomerHistory(list(versions))))

    async def _named(self, request: Request[Any, Any, Any]) -> tuple[str, str]:
        scope = request.scope
        caller = await self._gate.caller(headers_of(scope), QUERIES)
        return caller.tenant, user_of(request)


def user_of(request: Request[Any, Any, Any]) -> str:
    """The user id that a path names, its slashes as they were meant."""
    named: str = request.scope["path_params"]["user_id"]
    return named.replace(WRITTEN_SLASH, "/")


def _refuse_unknown(raw: Mapping[str, str]) -> None:
    if unknown := sorted(set(raw) - set(_PARAMETERS)):
        allowed = ", ".join(_PARAMETERS)
        raise InvalidInput(f"`{unknown[0]}` is no parameter here: {allowed}", unknown[0])


def _limit(raw: Mapping[str, str]) -> int:
    text = raw.get("limit", str(_USUAL))
    if not text.isascii() or not text.isdigit() or not 1 <= int(text[:9]) <= MOST_CUSTOMERS:
        raise InvalidInput(f"`limit` is 1 to {MOST_CUSTOMERS}", "limit")
    return int(text)


def _after(raw: Mapping[str, str]) -> str:
    try:
        return base64.urlsafe_b64decode(raw.get("cursor", "")).decode()
    except (binascii.Error, ValueError):
        raise InvalidInput("`cursor` is not one of ours", "cursor") from None


def _cursor(user_id: str) -> str:
    return base64.urlsafe_b64encode(user_id.encode()).decode()


def _fields(raw: Mapping[str, str]) -> Mapping[str, str]:
    """What `where` asks of a profile, each value as text."""
    if "where" not in raw:
        return {}
    try:
        fields = msgspec.json.decode(raw["where"], type=dict[str, str | int | float | bool])
    except msgspec.DecodeError:
        about = '`where` is a JSON object of fields and values such as {"country": "DE"}'
        raise InvalidInput(about, "where") from None
    if len(fields) > _MOST_FIELDS:
        raise InvalidInput(f"`where` has at most {_MOST_FIELDS} fields", "where")
    return {name: _text(value) for name, value in fields.items()}


def _text(value: str | float | bool) -> str:
    return value if isinstance(value, str) else msgspec.json.encode(value).decode()


_EXAMPLE = {
    "userId": "user123456",
    "profile": {"user_id": "user123456", "country": "United States", "vip_status": "Regular"},
    "asOf": "2024-01-15T10:30:00.000Z",
    "receivedAt": "2024-01-15T10:30:01.250Z",
}
_REFUSALS = [
    refusal(401, "No key or token, or not a valid one."),
    refusal(403, "The key has not the scope `read`."),
    refusal(503, "The store does not answer; see `Retry-After`."),
]
_NONE = refusal(404, "No such customer in this environment.")
WHO = text_parameter(
    "user_id", "The customer's user id; a slash in it is written %2F.", where="path"
)
_PAGE = Said(
    "customers",
    QUERIES,
    [
        data(200, CustomerPage, "A page.", {"customers": [_EXAMPLE], "nextCursor": None}),
        refusal(400, "An unknown parameter or value; the message names it."),
        *_REFUSALS,
    ],
    [
        text_parameter("limit", f"How many, 1 to {MOST_CUSTOMERS}; {_USUAL} by default."),
        text_parameter("cursor", "The `nextCursor` of the page before."),
        text_parameter("where", 'Fields of the profile and their values: `{"country": "DE"}`.'),
    ],
)
_ONE = Said(
    "customers",
    QUERIES,
    [data(200, Customer, "The customer.", _EXAMPLE), *_REFUSALS, _NONE],
    [WHO],
)
_HISTORY = Said(
    "customers",
    QUERIES,
    [data(200, CustomerHistory, "The versions."), *_REFUSALS, _NONE],
    [WHO],
)
