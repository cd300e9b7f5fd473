"""What is sent: events, each with an id before it leaves, in bodies that are encoded once."""

import gzip
from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any, Literal
from uuid import uuid4

import msgspec
import zstandard

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


def give_ids(events: Sequence[Outgoing]) -> None:
    """Give an id, in place, to each event without one, so that sending it again counts once."""
    for event in events:
        if isinstance(event, Event):
            event.event_id = event.event_id or _new_id()
        elif not event.get("eventId"):
            event["eventId"] = _new_id()


def _new_id() -> str:
    return f"evt_{uuid4().hex}"


def cut(events: Sequence[Outgoing], size: int) -> Iterator[Sequence[Outgoing]]:
    """The events in order, at most `size` at a time."""
    for start in range(0, len(events), size):
        yield events[start : start + size]


_encode = msgspec.json.Encoder().encode


def body(events: Sequence[Outgoing], encoding: Encoding) -> bytes:
    """The body of one batch request."""
    plain = _encode({"events": events})
    if encoding == "zstd":
        return zstandard.ZstdCompressor(level=3).compress(plain)
    if encoding == "gzip":
        return gzip.compress(plain, compresslevel=5, mtime=0)
    return plain


def headers(encoding: Encoding) -> dict[str, str]:
    """What names the form of such a body."""
    compressed = {} if encoding == "identity" else {"content-encoding": encoding}
    return {"content-type": "application/json"} | compressed
