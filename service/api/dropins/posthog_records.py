"""PostHog's events as ours (https://posthog.com/docs/api/capture)."""

from collections.abc import Mapping
from typing import Any

from service.api.dropins.arrivals import Delivery, Protocol
from service.api.dropins.clocks import Clock, moment_of
from service.api.dropins.fields import Fields, id_in, name_in, object_in, without
from service.api.records import kept_in
from service.errors import InvalidInput
from service.events import Event

_KNOWN = (
    *("event", "properties", "distinct_id", "timestamp", "uuid", "sent_at", "api_key", "token"),
    *("type", "library", "library_version", "messageId", "context", "offset"),
)
_PERSON = ("$set", "$set_once", "$unset", "$groups")
"""What stands beside the properties and is kept in the metadata."""
_IN_METADATA = ("$lib", "$lib_version", "$session_id", "token", "distinct_id")
"""Properties that say nothing of what happened."""


def _delivery(document: Any) -> Delivery:
    """One event, a list of them, or a batch."""
    if isinstance(document, list):
        return Delivery(document)
    if not isinstance(document, dict):
        raise InvalidInput("the body is an event, a list of events, or a batch")
    sent_at = document.get("sent_at")
    if "batch" not in document:
        return Delivery([document], sent_at)
    if not isinstance(document["batch"], list):
        raise InvalidInput("`batch` must be a list", "batch")
    return Delivery(document["batch"], sent_at)


def _event(record: Mapping[str, Any], clock: Clock, strict: bool) -> Event:
    properties = object_in(record, "properties")
    user_id = id_in(record, "distinct_id") or id_in(properties, "distinct_id", "$distinct_id")
    if not user_id:
        raise InvalidInput("`distinct_id` is missing", "distinct_id")
    given = moment_of(record.get("timestamp"), "timestamp")
    ignored = given if properties.get("$ignore_sent_at") is True else None
    return Event(
        event_type=name_in(record, "event"),
        user_id=user_id,
        session_id=id_in(properties, "$session_id"),
        timestamp=ignored or clock.time(given),
        metadata=kept_in(_about(record, properties), _unknown(record, strict)),
        payload=without(properties, *_IN_METADATA),
        event_id=id_in(record, "uuid") or None,
    )


def _about(record: Fields, properties: Fields) -> dict[str, Any]:
    library = properties.get("$lib")
    said = {"source": library if isinstance(library, str) else "posthog"}
    if (version := properties.get("$lib_version")) is not None:
        said["library_version"] = version
    return said | {name: record[name] for name in _PERSON if record.get(name) is not None}


def _unknown(record: Fields, strict: bool) -> dict[str, Any]:
    unknown = without(record, *_KNOWN, *_PERSON)
    if unknown and strict:
        field = min(unknown)
        raise InvalidInput(f"`{field}` is unknown", field)
    return unknown


def _key(document: Any) -> Any:
    """`api_key` or `token`, beside the events or, in a list of them, in the first one."""
    first = document[0] if isinstance(document, list) and document else document
    if not isinstance(first, dict):
        return None
    properties = first.get("properties")
    inside = properties.get("token") if isinstance(properties, dict) else None
    return first.get("api_key") or first.get("token") or inside


_NAMES = {"eventType": "event", "eventId": "uuid", "userId": "distinct_id"}

CAPTURE = Protocol(
    _key, _delivery, _event, "uuid", _NAMES | {"payload": "properties", "metadata": "properties"}
)
"""How a body is read."""
