"""Records on their way in, whatever the face: a body decoded to events, or to verdicts on them.

One decode of the whole body when all is well. Otherwise record by record, so that a bad one is
refused by name and the others go on. What cannot be told apart into records is refused whole.
"""

import codecs
import re
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from operator import attrgetter
from typing import Any, Generic, TypeVar

import msgspec

from service.errors import InvalidInput, TooLarge
from service.events import MAX_ID_LENGTH, Event
from service.ingest import Rejected

MOST_RECORDS = 1000
"""Records in one batch."""
EXTRA = "_extra"
"""Where in the metadata unknown fields are kept."""

_MOST_VALUES = 1_000_000
"""Values in one body. Decoded, each takes up to a hundred bytes, however short it was written."""
_WORTH_COUNTING = 1024 * 1024

_NOT_DECODED = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
_LINE = re.compile(rb"[^\s][^\n]*")
_PLACE = re.compile(r" - at `\$\.?(?P<path>[^`]*)`$")
_MISSING = re.compile(r"missing required field `(\w+)`")

_decode_fields = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode
_decode_anything = msgspec.json.Decoder().decode

Wire = TypeVar("Wire", bound=msgspec.Struct)
_Item = TypeVar("_Item")

Records = Sequence[Event | Rejected]


@dataclass(frozen=True, slots=True)
class Form(Generic[Wire]):
    """How a face writes its records."""

    kind: type[Wire]
    """It forbids unknown fields, and has a `timestamp`."""
    allowed: Mapping[str, str]
    """What is allowed in each field, by the name that callers give it."""
    event_id: str
    """The field that names the event."""
    event_of: Callable[[Wire, dict[str, Any]], Event]
    """The event of a record and the fields that the face does not know. Raises InvalidInput.

    Not called for a record that is an `Event` itself and has no such fields.
    """
    envelope: str = ""
    """The field that a batch's records stand in; a batch is a bare array without."""

    @property
    def shape(self) -> str:
        """A batch as messages show it."""
        return f'{{"{self.envelope}": […]}}' if self.envelope else "[…]"

    def schema(self) -> dict[str, Any]:
        """A record as JSON Schema, for the documentation."""
        name = self.kind.__name__
        schema = msgspec.json.schema_components([self.kind])[1][name]
        for field, allowed in self.allowed.items():
            schema["properties"][field]["description"] = allowed
        schema["properties"]["timestamp"]["format"] = "date-time"
        return {**schema, "additionalProperties": True, "title": name.removeprefix("Wire")}


class Reader(Generic[Wire]):
    """Reads bodies of one form. `strict` refuses unknown fields instead of keeping them."""

    def __init__(self, form: Form[Wire]) -> None:
        self._form = form
        self._are_events = issubclass(form.kind, Event)
        self._decode = msgspec.json.Decoder(form.kind).decode
        self._decode_lines = msgspec.json.Decoder(form.kind).decode_lines
        self._batch = _batch_decoder(form.envelope, form.kind)
        self._loose_batch = _batch_decoder(form.envelope, msgspec.Raw)

    def one(self, body: bytes, strict: bool) -> Records:
        """The event of a body of one. Raises InvalidInput when the body is not JSON."""
        _check_values(body)
        try:
            return self._events([self._decode(body)])
        except (msgspec.ValidationError, InvalidInput):
            return [self._verdict(0, body, strict)]
        except _NOT_DECODED as error:
            raise self._malformed(body, error) from None

    def batch(self, body: bytes, strict: bool) -> Records:
        """The events of a batch, in order.

        Raises InvalidInput when the body is none, or empty; TooLarge past `MOST_RECORDS`.
        """
        _check_values(body)
        try:
            return self._events(self._counted(self._batch(body)))
        except TooLarge:
            raise
        except (*_NOT_DECODED, InvalidInput):
            return self._one_by_one(self._loose(body), strict)

    def lines(self, body: bytes, strict: bool) -> Records:
        """The events of an NDJSON body, one a line, in order. Raises as `batch` does."""
        _check_values(body)
        try:
            return self._events(self._counted(self._decode_lines(body)))
        except TooLarge:
            raise
        except (*_NOT_DECODED, InvalidInput):
            found = islice(_LINE.finditer(body), MOST_RECORDS + 1)
            return self._one_by_one([line.group() for line in found], strict)

    def _events(self, records: Sequence[Any]) -> Sequence[Event]:
        if self._are_events:
            return records
        return [self._form.event_of(record, {}) for record in records]

    def _counted(self, records: list[_Item]) -> list[_Item]:
        field = self._form.envelope or None
        if not records:
            raise InvalidInput("the batch has no events", field)
        if len(records) > MOST_RECORDS:
            raise TooLarge(f"a batch may have at most {MOST_RECORDS} events", field)
        return records

    def _loose(self, body: bytes) -> list[bytes]:
        try:
            return [bytes(record) for record in self._counted(self._loose_batch(body))]
        except _NOT_DECODED as error:
            raise self._malformed(body, error) from None

    def _malformed(self, body: bytes, error: Exception) -> InvalidInput:
        """What is wrong with a body that cannot be told apart into records."""
        if isinstance(error, msgspec.ValidationError):
            text, field = _placed(error)
            return InvalidInput(f"{text}; the body of a batch is {self._form.shape}", field)
        if not body:
            return InvalidInput("the body is empty")
        if body.startswith(codecs.BOM_UTF8):
            return InvalidInput("the body begins with a byte order mark; send JSON without one")
        return InvalidInput(f"the body is not valid JSON: {_reason(error)}")

    def _one_by_one(self, records: list[bytes], strict: bool) -> Records:
        return [self._verdict(n, text, strict) for n, text in enumerate(self._counted(records))]

    def _verdict(self, index: int, text: bytes, strict: bool) -> Event | Rejected:
        """The event that `text` is, or why it is none."""
        found: dict[str, Any] = {}
        with suppress(*_NOT_DECODED, InvalidInput):
            return self._events([self._decode(text)])[0]
        try:
            return self._read(text, found, strict)
        except InvalidInput as error:
            event_id = found.get(self._form.event_id)
            known = event_id if isinstance(event_id, str) else None
            return Rejected(index, known, error.code, error.field, str(error))

    def _read(self, text: bytes, found: dict[str, Any], strict: bool) -> Event:
        _read_fields(text, found)
        extra = self._take_unknown(found, strict)
        self._read_timestamp(found)
        return self._form.event_of(self._convert(found), extra)

    def _take_unknown(self, found: dict[str, Any], strict: bool) -> dict[str, Any]:
        """Take the fields that this face does not know out of `found`."""
        known = self._form.allowed
        unknown = found.keys() - known.keys()
        if unknown and strict:
            field = min(unknown)[:MAX_ID_LENGTH]
            raise InvalidInput(f"`{field}` is unknown; the fields are {', '.join(known)}", field)
        return {name: found.pop(name) for name in list(found) if name in unknown}

    def _read_timestamp(self, found: dict[str, Any]) -> None:
        """Read the time in whatever ISO 8601 form it is; without an offset it means UTC."""
        value = found.get("timestamp")
        allowed = f"`timestamp` must be {self._form.allowed['timestamp']}"
        if type(value) in {int, float}:
            raise InvalidInput(
                f"{allowed}; a number is refused, for it may mean seconds or milliseconds",
                "timestamp",
            )
        if isinstance(value, str):
            try:
                found["timestamp"] = datetime.fromisoformat(value.strip().upper())
            except ValueError:
                raise InvalidInput(allowed, "timestamp") from None

    def _convert(self, found: dict[str, Any]) -> Wire:
        allowed = self._form.allowed
        try:
            return msgspec.convert(found, self._form.kind)
        except msgspec.ValidationError as error:
            text, field = _placed(error)
            if missing := _MISSING.search(text):
                field = missing[1]
                message = f"`{field}` is missing; it is {allowed[field]}"
                raise InvalidInput(message, field) from None
            field = re.split(r"[.\[]", field or "")[0]
            raise InvalidInput(f"`{field}` must be {allowed.get(field, 'valid')}", field) from None


def kept_in(metadata: dict[str, Any] | None, extra: dict[str, Any]) -> dict[str, Any] | None:
    """Metadata in which the fields that a face does not know are kept. Raises InvalidInput."""
    if not extra:
        return metadata
    metadata = metadata or {}
    if EXTRA in metadata:
        raise InvalidInput(
            f"`metadata.{EXTRA}` is where unknown fields are kept, and there are some",
            f"metadata.{EXTRA}",
        )
    return {**metadata, EXTRA: extra}


def _batch_decoder(envelope: str, kind: Any) -> Callable[[bytes], list[Any]]:
    if not envelope:
        return msgspec.json.Decoder(list[kind]).decode
    fields = [(envelope, list[kind])]
    batch = msgspec.defstruct("Batch", fields, forbid_unknown_fields=True)
    decode, records = msgspec.json.Decoder(batch).decode, attrgetter(envelope)
    return lambda body: records(decode(body))


def _check_values(body: bytes) -> None:
    if len(body) > _WORTH_COUNTING:
        values = len(body) - len(body.translate(None, b",[{"))
        if values > _MOST_VALUES:
            raise TooLarge(f"the body may have at most {_MOST_VALUES} values")


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
