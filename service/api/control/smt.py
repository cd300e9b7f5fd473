"""`/api/smt/process_mapper`: a mapper tried on a message."""

import asyncio
from collections.abc import Sequence
from typing import Any

import msgspec
from litestar import Request
from litestar.handlers import HTTPRouteHandler

from service.api.answers import Answer, json_answer
from service.api.control.entrance import Entrance
from service.api.control.problems import Complaint, Complaints
from service.api.control.said import BODY_REFUSED, SIGNED_IN_ALWAYS, WRONG
from service.api.forms import read_form
from service.api.guards import IS_KNOWN
from service.api.openapi import Said, body_of, change, document
from service.pipelines.casts import CASTS
from service.pipelines.mapper import Mapper, Miss, Record, columns_of


class Trial(msgspec.Struct, forbid_unknown_fields=True):
    """A mapper's configuration, and the message to try it on."""

    config: list[dict[str, Any]]
    message: dict[str, Any]


class TransformRoutes:
    """Single message transforms."""

    def __init__(self, entrance: Entrance) -> None:
        self._entrance = entrance

    def routes(self) -> list[HTTPRouteHandler]:
        """The handlers."""
        return [change("POST", "/api/smt/process_mapper", self.process_mapper, _PROCESS)]

    async def process_mapper(self, request: Request[Any, Any, Any]) -> Answer:
        """Map a message to records, as a subscription would.

        Nothing is kept. A message that cannot be mapped is 422, with a reason for each key.
        """
        await self._entrance.caller(request, IS_KNOWN)
        trial = await read_form(request, Trial)
        mappers = [Mapper(columns) for columns in columns_of(trial.config)]
        # In a thread: a message may take a while, and others go on meanwhile.
        records, misses = await asyncio.to_thread(_map, mappers, trial.message)
        if misses:
            return json_answer(422, Complaints([_complaint(miss) for miss in misses]))
        return json_answer(200, records)


def _map(mappers: Sequence[Mapper], message: Any) -> tuple[list[Record], list[Miss]]:
    mapped = [mapper.map([message]) for mapper in mappers]
    misses = [miss for one in mapped for failed in one.failed for miss in failed.misses]
    return [record for one in mapped for record in one.records], misses


def _complaint(miss: Miss) -> Complaint:
    where = ["body", "message", miss.key] if miss.key else ["body", "message"]
    return Complaint(where, miss.reason, "value_error")


_COLUMN = {
    "type": "object",
    "required": ["key"],
    "additionalProperties": False,
    "properties": {
        "key": {"type": "string", "minLength": 1, "maxLength": 255},
        "path": {"type": ["string", "null"], "description": "JSONPath (RFC 9535)"},
        "static": {"description": "A constant, instead of a path"},
        "cast": {"type": ["string", "null"], "enum": [*CASTS, None]},
        "cast_format": {"type": ["string", "null"]},
        "primary_key": {"type": "boolean", "default": False},
        "nullable": {"type": ["boolean", "null"]},
    },
}
_TABLE = {
    "type": "object",
    "required": ["table_name", "fields"],
    "additionalProperties": False,
    "properties": {
        "table_name": {"type": "string"},
        "fields": {"type": "array", "items": _COLUMN, "minItems": 1},
    },
}
_TRIAL = {
    "type": "object",
    "required": ["config", "message"],
    "additionalProperties": False,
    "properties": {
        "config": {"type": "array", "items": {"anyOf": [_COLUMN, _TABLE]}, "minItems": 1},
        "message": {"type": "object"},
    },
}
_EXAMPLE = {
    "config": [
        {"key": "user_id", "path": "$.user.id", "cast": "int", "primary_key": True},
        {"key": "sku", "path": "$.items[*].sku"},
    ],
    "message": {"user": {"id": "7"}, "items": [{"sku": "a"}, {"sku": "b"}]},
}
_RECORDS = [{"user_id": 7, "sku": "a"}, {"user_id": 7, "sku": "b"}]
_PROCESS = Said(
    "smt",
    IS_KNOWN,
    [
        document(200, list[dict[str, Any]], "The records.", _RECORDS),
        WRONG,
        *BODY_REFUSED,
        *SIGNED_IN_ALWAYS,
    ],
    body=body_of("The mapper, and a message.", json=(_TRIAL, _EXAMPLE)),
)
