"""The events face's wire form, and what a body is decoded to: events, or verdicts on them.

One decode of the whole body when all is well. Otherwise event by event, so that a bad one is
refused by name and the others go on. What cannot be told apart into events is refused whole.
"""

import codecs
import re
from collections.abc import Callable, Sequence
from datetime import datetime
from itertools import islice
from typing import Any, TypeVar

import msgspec

from service.api.bodies import JSON, NDJSON
from service.errors import InvalidInput, TooLarge
from service.events import MAX_ID_LENGTH, Event, EventType, Id
from service.ingest import Rejected

MOST_EVENTS = 1000
"""Events in one batch."""
EXTRA = "_extra"
"""Where in the metadata unknown fields are kept."""

_MOST_VALUES = 1_000_000
"""Values in one body. Decoded, each takes up to a hundred bytes, however short it was written."""
_WORTH_COUNTING = 1024 * 1024


class WireEvent(Event, kw_only=True, rename="camel", forbid_unknown_fields=True):
    """An event as this face's callers write it."""

    event_type: EventType
    user_id: Id
    session_id: Id
    event_id: Id | None = None


class WireBatch(msgspec.Struct, forbid_unknown_fields=True):
    """The body of `POST /api/v1/events/batch`."""

    events: list[WireEvent]


class _LooseBatch(msgspec.Struct, forbid_unknown_fields=True):
    events: list[msgspec.Raw]


_FIELDS = {
    "eventType": "a string of 1 to 100 characters",
    "userId": "a string of 1 to 128 characters",
    "sessionId": "a string of 1 to 128 characters",
    "timestamp": "an ISO 8601 time such as 2024-01-30T12:34:56Z",
    "metadata": "an object",
    "payload": "an object",
    "priority": "an integer from 1 to 10",
    "eventId": "a string of 1 to 128 characters",
}
"""Each field, and what is allowed in it."""


def _event_schema() -> dict[str, Any]:
    schema = msgspec.json.schema_components([WireEvent])[1]["WireEvent"]
    for name, allowed in _FIELDS.items():
        schema["properties"][name]["description"] = allowed
    schema["properties"]["timestamp"]["format"] = "date-time"
    return {**schema, "additionalProperties": True, "title": "Event"}


EVENT_SCHEMA = _event_schema()
"""An event as JSON Schema, for the documentation."""

_decode_event = msgspec.json.Decoder(WireEvent).decode
_decode_batch = msgspec.json.Decoder(WireBatch).decode
_decode_lines = msgspec.json.Decoder(WireEvent).decode_lines
_decode_loose_batch = msgspec.json.Decoder(_LooseBatch).decode
_decode_fields = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode
_decode_anything = msgspec.json.Decoder().decode

_Item = TypeVar("_Item")

_NOT_DECODED = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
_LINE = re.compile(rb"[^\s][^\n]*")
_PLACE = re.compile(r" - at `\$\.?(?P<path>[^`]*)`$")
_MISSING = re.compile(r"missing required field `(\w+)`")


def one_event(body: bytes, strict: bool) -> Event | Rejected:
    """The event of a body of one. Raises InvalidInput when the body is not JSON."""
    _check_values(body)
    try:
        return _decode_event(body)
    except msgspec.ValidationError:
        return _verdict(0, body, strict)
    except _NOT_DECODED as error:
        raise _malformed(body, error) from None


def batch(body: bytes, strict: bool) -> Sequence[Event | Rejected]:
    """The events of a body `{"events": […]}`, in order.

    Raises InvalidInput when the body is not that, or empty; TooLarge past `MOST_EVENTS`.
    """
    _check_values(body)
    try:
        return _counted(_decode_batch(body).events)
    except _NOT_DECODED:
        return _one_by_one(_loose_batch(body), strict)


def lines(body: bytes, strict: bool) -> Sequence[Event | Rejected]:
    """The events of an NDJSON body, one a line, in order. Raises as `batch` does."""
    _check_values(body)
    try:
        return _counted(_decode_lines(body))
    except _NOT_DECODED:
        found = islice(_LINE.finditer(body), MOST_EVENTS + 1)
        return _one_by_one([line.group() for line in found], strict)


DECODERS: dict[bytes, Callable[[bytes, bool], Sequence[Event | Rejected]]] = {
    JSON: batch,
    NDJSON: lines,
}
"""How a batch is decoded, by its content type."""


def _check_values(body: bytes) -> None:
    if len(body) > _WORTH_COUNTING:
        values = len(body) - len(body.translate(None, b",[{"))
        if values > _MOST_VALUES:
            raise TooLarge(f"the body may have at most {_MOST_VALUES} values")


def _counted(events: list[_Item]) -> list[_Item]:
    if not events:
        raise InvalidInput("the batch has no events", "events")
    if len(events) > MOST_EVENTS:
        raise TooLarge(f"a batch may have at most {MOST_EVENTS} events", "events")
    return events


def _loose_batch(body: bytes) -> list[bytes]:
    try:
        return [bytes(event) for event in _counted(_decode_loose_batch(body).events)]
    except _NOT_DECODED as error:
        raise _malformed(body, error) from None


def _malformed(body: bytes, error: Exception) -> InvalidInput:
    """What is wrong with a body that cannot be told apart into events."""
    if isinstance(error, msgspec.ValidationError):
        text, field = _placed(error)
        return InvalidInput(f'{text}; the body of a batch is {{"events": […]}}', field)
    if not body:
        return InvalidInput("the body is empty")
    if body.startswith(codecs.BOM_UTF8):
        return InvalidInput("the body begins with a byte order mark; send JSON without one")
    return InvalidInput(f"the body is not valid JSON: {_reason(error)}")


def _reason(error: Exception) -> str:
    if isinstance(error, RecursionError):
        return "it is nested too deeply"
    if isinstance(error, UnicodeDecodeError):
        return "it is not UTF-8"
    return str(error).removeprefix("JSON is malformed: ")


def _placed(error: msgspec.ValidationError) -> tuple[str, str | None]:
    """An error's text without its path, and the outermost field of that path."""
    text = str(error)
    if (place := _PLACE.search(text)) is None:
        return text, None
    return text[: place.start()], place["path"]


def _one_by_one(events: list[bytes], strict: bool) -> Sequence[Event | Rejected]:
    return [_verdict(index, event, strict) for index, event in enumerate(_counted(events))]


def _verdict(index: int, text: bytes, strict: bool) -> Event | Rejected:
    """The event that `text` is, or why it is none."""
    found: dict[str, Any] = {}
    try:
        return _decode_event(text)
    except _NOT_DECODED:
        pass
    try:
        _read_fields(text, found)
        extra = _take_unknown(found, strict)
        _read_timestamp(found)
        return _keep(extra, _convert(found))
    except InvalidInput as error:
        event_id = found.get("eventId")
        known = event_id if isinstance(event_id, str) else None
        return Rejected(index, known, error.code, error.field, str(error))


def _read_fields(text: bytes, found: dict[str, Any]) -> None:
    """Put the fields of the object `text` into `found`, as far as they can be read."""
    try:
        fields = _decode_fields(text)
    except msgspec.ValidationError:
        raise InvalidInput("an event is a JSON object") from None
    except _NOT_DECODED as error:
        raise InvalidInput(f"the event is not valid JSON: {_reason(error)}") from None
    for name, value in fields.items():
        try:
            found[name] = _decode_anything(value)
        except _NOT_DECODED as error:
            reason = _placed(error)[0] if isinstance(error, msgspec.ValidationError) else None
            field = name[:MAX_ID_LENGTH]
            raise InvalidInput(f"`{field}`: {reason or _reason(error)}", field) from None


def _take_unknown(found: dict[str, Any], strict: bool) -> dict[str, Any]:
    """Take the fields that this face does not know out of `found`."""
    unknown = found.keys() - _FIELDS.keys()
    if unknown and strict:
        field = min(unknown)[:MAX_ID_LENGTH]
        raise InvalidInput(f"`{field}` is unknown; the fields are {', '.join(_FIELDS)}", field)
    return {name: found.pop(name) for name in list(found) if name in unknown}


def _read_timestamp(found: dict[str, Any]) -> None:
    """Read the time in whatever ISO 8601 form it is; without an offset it means UTC."""
    value = found.get("timestamp")
    allowed = f"`timestamp` must be {_FIELDS['timestamp']}"
    if type(value) in {int, float}:
        raise InvalidInput(
            f"{allowed}; a number is refused, for it may mean seconds or milliseconds", "timestamp"
        )
    if isinstance(value, str):
        try:
            found["timestamp"] = datetime.fromisoformat(value.strip().upper())
        except ValueError:
            raise InvalidInput(allowed, "timestamp") from None


def _convert(found: dict[str, Any]) -> WireEvent:
    try:
        return msgspec.convert(found, WireEvent)
    except msgspec.ValidationError as error:
        text, field = _placed(error)
        if missing := _MISSING.search(text):
            field = missing[1]
            raise InvalidInput(f"`{field}` is missing; it is {_FIELDS[field]}", field) from None
        field = re.split(r"[.\[]", field or "")[0]
        raise InvalidInput(f"`{field}` must be {_FIELDS.get(field, 'valid')}", field) from None


def _keep(extra: dict[str, Any], event: WireEvent) -> WireEvent:
    """Keep what the face does not know under `metadata._extra`."""
    if extra:
        metadata = event.metadata or {}
        if EXTRA in metadata:
            raise InvalidInput(
                f"`metadata.{EXTRA}` is where unknown fields are kept, and there are some",
                f"metadata.{EXTRA}",
            )
        event.metadata = {**metadata, EXTRA: extra}
    return event
