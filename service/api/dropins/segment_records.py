"""Segment's calls as events (https://segment.com/docs/connections/spec/)."""

from collections.abc import Mapping
from typing import Any

from service.api.dropins.arrivals import Delivery, Protocol
from service.api.dropins.clocks import Clock, moment_of
from service.api.dropins.fields import Fields, id_in, name_in, object_in, without
from service.api.records import kept_in
from service.errors import InvalidInput
from service.events import Event
from service.query.customers import PROFILE

CALLS = ("track", "identify", "page", "screen", "group", "alias")

_KNOWN = (
    *("type", "messageId", "userId", "anonymousId", "timestamp", "originalTimestamp", "sentAt"),
    *("receivedAt", "context", "integrations", "properties", "traits", "event", "name", "category"),
    *("groupId", "previousId", "writeKey", "channel", "version", "_metadata"),
)
_IN_PAYLOAD = ("name", "category", "groupId", "previousId")


def call_of(kind: str) -> Protocol:
    """How a body of one call is read, which does not say itself what it is."""
    return _protocol(lambda document: _one(document, kind))


def _one(document: Any, kind: str) -> Delivery:
    if not isinstance(document, dict):
        raise InvalidInput("the body is an object")
    return Delivery([{**document, "type": kind}], document.get("sentAt"))


def _batch(document: Any) -> Delivery:
    records = document.get("batch") if isinstance(document, dict) else None
    if not isinstance(records, list):
        raise InvalidInput('the body of a batch is {"batch": […]}', "batch")
    shared = object_in(document, "context")
    sent_at = document.get("sentAt")
    if not shared:
        return Delivery(records, sent_at)
    return Delivery([_with_context(record, shared) for record in records], sent_at)


def _with_context(record: Any, shared: Fields) -> Any:
    if not isinstance(record, dict) or not isinstance(record.get("context"), dict | None):
        return record
    return {**record, "context": {**shared, **(record.get("context") or {})}}


def _event(record: Mapping[str, Any], clock: Clock, strict: bool) -> Event:
    kind = record.get("type")
    if kind not in CALLS:
        raise InvalidInput(f"`type` must be one of {', '.join(CALLS)}", "type")
    context = object_in(record, "context")
    user_id = id_in(record, "userId", "anonymousId")
    if not user_id:
        raise InvalidInput("`userId` or `anonymousId` is missing", "userId")
    given = record.get("originalTimestamp") or record.get("timestamp")
    return Event(
        event_type=_type_of(record, kind),
        user_id=user_id,
        session_id=id_in(context, "sessionId"),
        timestamp=clock.time(moment_of(given, "timestamp")),
        metadata=kept_in(_about(record, kind, context), _unknown(record, strict)),
        payload=_payload(record, kind),
        event_id=id_in(record, "messageId") or None,
    )


def _type_of(record: Fields, kind: str) -> str:
    """`identify` tells of a customer when it says who he is and anything of him."""
    if kind == "track":
        return name_in(record, "event")
    told = kind == "identify" and record.get("userId") and record.get("traits")
    return PROFILE if told else kind


def _about(record: Fields, kind: str, context: dict[str, Any]) -> dict[str, Any]:
    library = object_in(context, "library").get("name")
    source = library if isinstance(library, str) else "segment"
    said = {"source": source, **without(context, "sessionId"), "call": kind}
    both = record.get("userId") and record.get("anonymousId")
    return {**said, "anonymousId": record["anonymousId"]} if both else said


def _payload(record: Fields, kind: str) -> dict[str, Any]:
    told = object_in(record, "traits" if kind in {"identify", "group"} else "properties")
    return {**{n: record[n] for n in _IN_PAYLOAD if record.get(n) is not None}, **told}


def _unknown(record: Fields, strict: bool) -> dict[str, Any]:
    unknown = without(record, *_KNOWN)
    if unknown and strict:
        field = min(unknown)
        raise InvalidInput(f"`{field}` is unknown", field)
    return unknown


def _key(document: Any) -> Any:
    return document.get("writeKey") if isinstance(document, dict) else None


def _protocol(delivery_of: Any) -> Protocol:
    names = {"eventType": "event", "eventId": "messageId", "metadata": "context"}
    return Protocol(_key, delivery_of, _event, "messageId", names | {"payload": "properties"})


BATCH = _protocol(_batch)
"""How a body of many calls is read, each of which says what it is."""
