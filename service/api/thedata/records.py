"""The thedata face's wire forms: an event and a metric point as its callers write them."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import msgspec

from service.api.bodies import JSON, NDJSON
from service.api.records import Form, Reader, kept_in
from service.errors import InvalidInput
from service.events import Event, EventType, Id, Priority

METRIC = "metric"
"""The type of the event that a metric point is."""


class WireEvent(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """An event as this face's callers write it."""

    event_type: EventType
    timestamp: datetime
    source: Id | None = None
    user_id: Id | None = None
    session_id: Id | None = None
    properties: dict[str, Any] | None = None
    metadata: dict[str, Any] | None = None
    priority: Priority = 1
    event_id: Id | None = None


class WireMetricPoint(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """One value of a metric at one moment."""

    name: EventType
    value: float
    timestamp: datetime
    labels: dict[str, str] | None = None
    source: Id | None = None
    event_id: Id | None = None


def _event_of(wire: WireEvent, extra: dict[str, Any]) -> Event:
    return Event(
        event_type=wire.event_type,
        user_id=wire.user_id or "",
        session_id=wire.session_id or "",
        timestamp=wire.timestamp,
        metadata=_about(wire.source, wire.metadata, extra),
        payload=wire.properties,
        priority=wire.priority,
        event_id=wire.event_id,
    )


def _event_of_point(point: WireMetricPoint, extra: dict[str, Any]) -> Event:
    """The value stands in the payload beside the labels, so that it is one of the numbers."""
    if not point.name.isprintable():
        raise InvalidInput("`name` must not hold control characters", "name")
    labels = point.labels or {}
    if point.name in labels:
        raise InvalidInput("a label must not have the name of the metric", "labels")
    return Event(
        event_type=METRIC,
        user_id="",
        session_id="",
        timestamp=point.timestamp,
        metadata=_about(point.source, None, extra),
        payload={point.name: point.value, **labels},
        event_id=point.event_id,
    )


def _about(
    source: str | None, metadata: dict[str, Any] | None, extra: dict[str, Any]
) -> dict[str, Any] | None:
    if source is not None:
        metadata = {**(metadata or {}), "source": source}
    return kept_in(metadata, extra)


_TIME = "an ISO 8601 time such as 2024-01-30T12:34:56Z"
_ID = "a string of 1 to 128 characters"
_EVENT = Form(
    WireEvent,
    {
        "event_type": "a string of 1 to 100 characters",
        "timestamp": _TIME,
        "source": _ID,
        "user_id": _ID,
        "session_id": _ID,
        "properties": "an object",
        "metadata": "an object",
        "priority": "an integer from 1 to 10",
        "event_id": _ID,
    },
    "event_id",
    _event_of,
)
_POINT = Form(
    WireMetricPoint,
    {
        "name": "a string of 1 to 100 characters",
        "value": "a number",
        "timestamp": _TIME,
        "labels": "an object of strings",
        "source": _ID,
        "event_id": _ID,
    },
    "event_id",
    _event_of_point,
)
_events, _points = Reader(_EVENT), Reader(_POINT)

EVENT_SCHEMA, POINT_SCHEMA = _EVENT.schema(), _POINT.schema()
"""Records as JSON Schema, for the documentation."""
ONE_EVENT = {JSON: _events.one}
EVENTS = {JSON: _events.batch, NDJSON: _events.lines}
POINTS = {JSON: _points.batch, NDJSON: _points.lines}
"""How a body is decoded, by its content type."""


@dataclass(frozen=True, slots=True)
class Names:
    """What the core's fields are called here."""

    of: Mapping[str, str]

    def field(self, field: str | None) -> str | None:
        """A field by the name that callers gave it."""
        return None if field is None else self.of.get(field, field)

    def text(self, text: str) -> str:
        """A message with the fields in it by the names that callers gave them."""
        for theirs, ours in self.of.items():
            text = text.replace(f"`{theirs}`", f"`{ours}`")
        return text


_IDS = {"eventId": "event_id", "userId": "user_id", "sessionId": "session_id"}
EVENT_NAMES = Names({**_IDS, "eventType": "event_type", "payload": "properties"})
POINT_NAMES = Names({**_IDS, "eventType": "name", "payload": "labels"})
