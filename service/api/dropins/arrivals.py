"""One way from a request of a client made for another service to the verdict on its records.

Such clients send the key in the body, as the user name of `Authorization: Basic`, or both; so the
body is read first, then it is asked who calls, and then what he sent.
"""

import binascii
from base64 import b64decode
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

import msgspec
from litestar import Request

from service.api.answers import Headers, headers_of
from service.api.bodies import JSON, content_type, read_body
from service.api.dropins.clocks import Clock, moment_of
from service.api.guards import INGESTS, Gate
from service.api.rate_limits import Passage, Turnstile, count_events
from service.errors import InvalidInput, InvalidKey, TooLarge
from service.events import Event
from service.ingest import Ingest, Rejected, Verdict
from service.settings import Settings

DROPS_IN = replace(
    INGESTS, about="a key with `ingest`, sent as these clients send it", in_body=True
)
MOST_RECORDS = 2500
"""Records of one request, as many as Segment takes."""

_TEXT = b"text/plain"
"""What browsers may send to strangers without asking them first."""


@dataclass(frozen=True, slots=True)
class Delivery:
    """What a body holds, as its protocol has it."""

    records: Sequence[Any]
    sent_at: Any = None
    """What the sender's clock showed."""


@dataclass(frozen=True, slots=True)
class Protocol:
    """How the clients of one service write."""

    key_of: Callable[[Any], Any]
    """The key in a document, if there is one."""
    delivery_of: Callable[[Any], Delivery]
    """What is delivered. Raises InvalidInput."""
    event_of: Callable[[Mapping[str, Any], Clock, bool], Event]
    """The event of a record; strictly, one without unknown fields. Raises InvalidInput."""
    event_id: str
    """The field that names a record."""
    names: Mapping[str, str]
    """Its own names of an event's fields."""


@dataclass(frozen=True, slots=True)
class Arrival:
    """What became of the records, and where the caller stands with his limit."""

    verdict: Verdict
    passage: Passage


class Arrivals:
    """Takes what these clients send, for whom their keys speak."""

    def __init__(
        self, gate: Gate, turnstile: Turnstile, ingest: Ingest, settings: Settings
    ) -> None:
        self._gate = gate
        self._turnstile = turnstile
        self._ingest = ingest
        self._settings = settings

    async def take(self, request: Request[Any, Any, Any], protocol: Protocol) -> Arrival:
        """Publish the good records and return when the stream keeps them."""
        settings, headers = self._settings, headers_of(request.scope)
        content_type(headers, JSON, _TEXT)
        self._ingest.turns.look()
        body = await read_body(
            headers, request.receive, settings.max_body_bytes, settings.body_timeout
        )
        async with self._ingest.turns.turn(len(body)):
            document = _decoded(body)
            named = _with_key(headers, protocol.key_of(document))
            passage = await self._turnstile.admit(request.scope, await self._gate.known(named))
            caller = await self._gate.caller(named, DROPS_IN)
            records = _events(protocol, document, settings.strict)
            await count_events(request.scope, len(records))
            return Arrival(await self._ingest.accept(caller.tenant, records), passage)


def _decoded(body: bytes) -> Any:
    """The document; an error stands in for what is none, until it is known who sent it."""
    try:
        return msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return InvalidInput("the body is not valid JSON")


def _with_key(headers: Headers, in_body: Any) -> Headers:
    """The headers as if the key had come in `x-api-key`, wherever it came."""
    key = _user_of(headers) or (in_body if isinstance(in_body, str) else "")
    if not key or b"x-api-key" in headers:
        return headers
    named = Headers(headers)
    named.pop(b"authorization", None)
    named[b"x-api-key"] = key.encode(errors="replace")
    return named


def _user_of(headers: Headers) -> str:
    """The user name of `Authorization: Basic` (RFC 7617). Raises InvalidKey for a broken one."""
    scheme, _, rest = headers.get(b"authorization", b"").partition(b" ")
    if scheme.lower() != b"basic":
        return ""
    try:
        return b64decode(rest.strip(), validate=True).decode().partition(":")[0]
    except (binascii.Error, UnicodeDecodeError):
        raise InvalidKey("Authorization: Basic is not followed by base64") from None


def _events(protocol: Protocol, document: Any, strict: bool) -> list[Event | Rejected]:
    if isinstance(document, Exception):
        raise document
    delivery = protocol.delivery_of(document)
    if not delivery.records:
        raise InvalidInput("there are no events in the body")
    if len(delivery.records) > MOST_RECORDS:
        raise TooLarge(f"a batch may have at most {MOST_RECORDS} events")
    clock = Clock(datetime.now(UTC), moment_of(delivery.sent_at, "sentAt"))
    return [
        _verdict(protocol, number, record, clock, strict)
        for number, record in enumerate(delivery.records)
    ]


def _verdict(
    protocol: Protocol, number: int, record: Any, clock: Clock, strict: bool
) -> Event | Rejected:
    """The event that a record is, or why it is none."""
    known = record.get(protocol.event_id) if isinstance(record, dict) else None
    try:
        if not isinstance(record, dict):
            raise InvalidInput("an event is a JSON object")
        return protocol.event_of(record, clock, strict)
    except InvalidInput as error:
        event_id = known if isinstance(known, str) else None
        return Rejected(number, event_id, error.code, error.field, str(error))
