"""`/api/connector-types`: what connectors there are, and tries of them before they are made."""

from typing import Any

import msgspec
from litestar import Request
from litestar.handlers import HTTPRouteHandler

from service.api.answers import Answer, headers_of, json_answer
from service.api.bodies import JSON, content_type, read_body
from service.api.control.entrance import Entrance
from service.api.control.said import BODY_REFUSED, NOT_THERE, SIGNED_IN_ALWAYS, WRONG
from service.api.guards import IS_KNOWN
from service.api.openapi import Said, body_of, change, document, read, text_parameter
from service.errors import InvalidInput
from service.pipelines.connectors.registry import KINDS
from service.pipelines.control.trying import MOST_MESSAGES, Tried, Trying, kind_in_path
from service.pipelines.model import SourceMessage

LARGEST = 256 * 1024
"""Bytes of a configuration."""
_SECONDS = 10.0
_USUAL_MESSAGES = 10


class ConnectorType(msgspec.Struct):
    """A type of connectors, with the JSON schema of what it is told."""

    type: str
    direction: str
    about: str
    secrets: list[str]
    config_schema: dict[str, Any]


class Verdict(msgspec.Struct):
    """Whether it connects, and if not why."""

    valid: bool
    message: str


class Message(msgspec.Struct):
    """A message of a source; `timestamp` in ms since 1970 UTC, where the source says one."""

    key: str | None
    value: dict[str, Any]
    timestamp: int | None
    metadata: dict[str, Any]


class ConnectorTypeRoutes:
    """Types of connectors."""

    def __init__(self, entrance: Entrance, trying: Trying) -> None:
        self._entrance = entrance
        self._trying = trying

    def routes(self) -> list[HTTPRouteHandler]:
        """The handlers."""
        return [
            *read("/api/connector-types", self.list, _LIST),
            change("POST", "/api/connector-types/{type:str}/check-credentials", self.check, _CHECK),
            change("POST", "/api/connector-types/{type:str}/list-topics", self.topics, _TOPICS),
            change("POST", "/api/connector-types/{type:str}/fetch-messages", self.fetch, _FETCH),
        ]

    async def list(self, request: Request[Any, Any, Any]) -> Answer:
        """List the types of connectors, and what each is told."""
        await self._entrance.reach(request, IS_KNOWN)
        shown = [
            ConnectorType(
                kind.name,
                kind.direction,
                kind.about,
                sorted(kind.secrets),
                msgspec.json.schema(kind.config),
            )
            for kind in KINDS.values()
        ]
        return json_answer(200, sorted(shown, key=lambda one: one.type))

    async def check(self, request: Request[Any, Any, Any]) -> Answer:
        """Connect with a configuration, and say whether it works.

        The body is the configuration itself. With `connector_id` secrets that are left out, or
        masked, are those of that connector.
        """
        reach = await self._entrance.reach(request, IS_KNOWN)
        tried, _ = await _tried(request)
        message = await self._trying.verdict(reach, tried)
        return json_answer(200, Verdict(not message, message or "it works"))

    async def topics(self, request: Request[Any, Any, Any]) -> Answer:
        """List what can be read or written with a configuration.

        The body is as for `check-credentials`; what a source needs besides may be left out.
        """
        reach = await self._entrance.reach(request, IS_KNOWN)
        tried, _ = await _tried(request, topic="*", path="*")
        return json_answer(200, await self._trying.topics(reach, tried))

    async def fetch(self, request: Request[Any, Any, Any]) -> Answer:
        """Fetch the newest messages that a source has, oldest first.

        The body is as for `check-credentials`, and may have a `limit`.
        """
        reach = await self._entrance.reach(request, IS_KNOWN)
        tried, limit = await _tried(request)
        found = await self._trying.messages(reach, tried, limit)
        return json_answer(200, [_message(one) for one in found])


async def _tried(request: Request[Any, Any, Any], **usual: Any) -> tuple[Tried, int]:
    """What the body says, and how many messages it asks for. Raises InvalidInput."""
    headers = headers_of(request.scope)
    content_type(headers, JSON)
    body = await read_body(headers, request.receive, LARGEST, _SECONDS)
    try:
        said = msgspec.json.decode(body, type=dict[str, Any])
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise InvalidInput(f"the body is no configuration: {error}") from None
    connector_id, limit = said.pop("connector_id", ""), said.pop("limit", _USUAL_MESSAGES)
    if not isinstance(connector_id, str) or not isinstance(limit, int):
        field = "limit" if isinstance(connector_id, str) else "connector_id"
        raise InvalidInput(f"`{field}` is of the wrong type", field)
    kind = kind_in_path(request.scope["path_params"]["type"])
    known = {name: usual[name] for name in usual if name in kind.config.__struct_fields__}
    return Tried(kind, {**known, **said}, connector_id), limit


def _message(one: SourceMessage) -> Message:
    key = one.key.decode("utf-8", "replace") if one.key is not None else None
    return Message(key, dict(one.value), one.time, dict(one.metadata))


_KAFKA = {
    "bootstrap_servers": "kafka:9092",
    "topic": "test-topic",
    "security_protocol": "PLAINTEXT",
}
_CONFIG = {
    "type": "object",
    "properties": {
        "connector_id": {"type": "string"},
        "limit": {"type": "integer", "minimum": 1, "maximum": MOST_MESSAGES},
    },
}
_BODY = body_of("The configuration.", json=(_CONFIG, _KAFKA))
_TYPE = text_parameter("type", "The type, as in `kafka-source`.", where="path")
_ALWAYS = [*SIGNED_IN_ALWAYS, NOT_THERE, *BODY_REFUSED, WRONG]
_LIST = Said(
    "connectors",
    IS_KNOWN,
    [document(200, list[ConnectorType], "The types."), *SIGNED_IN_ALWAYS],
)
_CHECK = Said(
    "connectors",
    IS_KNOWN,
    [
        document(200, Verdict, "Whether it works.", {"valid": True, "message": "it works"}),
        *_ALWAYS,
    ],
    [_TYPE],
    _BODY,
)
_TOPICS = Said(
    "connectors",
    IS_KNOWN,
    [document(200, list[str], "The names.", ["user-events"]), *_ALWAYS],
    [_TYPE],
    _BODY,
)
_FETCH = Said(
    "connectors",
    IS_KNOWN,
    [document(200, list[Message], "The messages."), *_ALWAYS],
    [_TYPE],
    _BODY,
)
