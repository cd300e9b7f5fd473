"""The events face's wire form: an event as its callers write it."""

from typing import Any

from service.api.bodies import JSON, NDJSON
from service.api.records import Form, Reader, kept_in
from service.events import Event, EventType, Id


class WireEvent(Event, kw_only=True, rename="camel", forbid_unknown_fields=True):
    """An event as this face's callers write it."""

    event_type: EventType
    user_id: Id
    session_id: Id
    event_id: Id | None = None


def _with_extra(event: WireEvent, extra: dict[str, Any]) -> Event:
    event.metadata = kept_in(event.metadata, extra)
    return event


_FORM = Form(
    WireEvent,
    {
        "eventType": "a string of 1 to 100 characters",
        "userId": "a string of 1 to 128 characters",
        "sessionId": "a string of 1 to 128 characters",
        "timestamp": "an ISO 8601 time such as 2024-01-30T12:34:56Z",
        "metadata": "an object",
        "payload": "an object",
        "priority": "an integer from 1 to 10",
        "eventId": "a string of 1 to 128 characters",
    },
    "eventId",
    _with_extra,
    "events",
)
_reader = Reader(_FORM)

EVENT_SCHEMA = _FORM.schema()
"""An event as JSON Schema, for the documentation."""
ONE = {JSON: _reader.one}
BATCH = {JSON: _reader.batch, NDJSON: _reader.lines}
"""How a body is decoded, by its content type."""
