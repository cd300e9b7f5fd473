"""What is sent: events, each with an id before it leaves, in bodies that are encoded once."""

import gzip
from collections.abc import Iterator, Sequence
from datetime import datetime
from hashlib import blake2b
from typing import Any, Literal
from uuid import uuid4

import msgspec
import zstandard

from service.errors import InvalidInput

MOST_EVENTS = 1000
"""Events that one request may carry."""

Encoding = Literal["identity", "gzip", "zstd"]


class Event(msgspec.Struct, kw_only=True, rename="camel", omit_defaults=True):
    """Something that happened. A `timestamp` without an offset means UTC."""

    event_type: str
    user_id: str
    session_id: str
    timestamp: datetime | str
    metadata: dict[str, Any] | None = None
    payload: dict[str, Any] | None = None
    priority: int = 1
    event_id: str | None = None


Outgoing = Event | dict[str, Any]
"""An event to send: typed, or a dict in the words of the API (`eventType`, `userId`…)."""


def give_ids(events: Sequence[Outgoing], key: str | None = None) -> None:
    """Give an id, in place, to each event without one, so that sending it again counts once.

    With a `key` the same one whenever it has the same place under the same key.
    """
    for index, event in enumerate(events):
        if isinstance(event, Event):
            event.event_id = event.event_id or _new_id(key, index)
        elif not event.get("eventId"):
            event["eventId"] = _new_id(key, index)


def _new_id(key: str | None, index: int) -> str:
    if key is None:
        return f"evt_{uuid4().hex}"
    name = f"{key}\0{index}".encode()
    return f"evt_{blake2b(name, digest_size=16).hexdigest()}"


def cut(events: Sequence[bytes], size: int) -> Iterator[Sequence[bytes]]:
    """The events in order, at most `size` at a time."""
    for start in range(0, len(events), size):
        yield events[start : start + size]


_encode = msgspec.json.Encoder().encode


def encoded(event: Outgoing) -> bytes:
    """An event as JSON, on one line. Raises InvalidInput for what JSON does not have."""
    try:
        return _encode(event)
    except (TypeError, ValueError, RecursionError, UnicodeEncodeError) as error:
        raise InvalidInput(f"the event cannot be written as JSON: {error}") from None


def body(events: Sequence[bytes], encoding: Encoding) -> bytes:
    """The body of one batch request."""
    plain = b'{"events":[%b]}' % b",".join(events)
    if encoding == "zstd":
        return zstandard.ZstdCompressor(level=3).compress(plain)
    if encoding == "gzip":
        return gzip.compress(plain, compresslevel=5, mtime=0)
    return plain


def headers(encoding: Encoding) -> dict[str, str]:
    """What names the form of such a body."""
    compressed = {} if encoding == "identity" else {"content-encoding": encoding}
    return {"content-type": "application/json"} | compressed
