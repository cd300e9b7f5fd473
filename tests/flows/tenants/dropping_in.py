"""The doors of Segment's and PostHog's clients, with ids that both tenants use."""

from typing import Any

from tests.flows.tenants.sending import keep, taken
from tests.flows.tenants.side import Event, Side

SEGMENT = ["track", "identify", "page", "screen", "group", "alias"]
POSTHOG = ["/batch", "/capture", "/i/v0/e"]
_ALSO = {"group": {"groupId": "the same"}, "alias": {"previousId": "the same"}}


def call_as_segment(mine: Side, other: Side, kind: str, event: Event, in_batch: bool) -> None:
    """One call, alone or in a batch; an identify without traits tells of no customer."""
    call = {
        "messageId": event["eventId"],
        "userId": event["userId"],
        "timestamp": event["timestamp"],
        "context": {"sessionId": event["sessionId"]},
        **_ALSO.get(kind, {}),
    }
    if kind == "track":
        call |= {"event": event["eventType"], "properties": event["payload"]}
    else:
        event = {**event, "eventType": kind, "payload": {}}
    path, sent = f"/v1/{kind}", call
    if in_batch:
        path, sent = "/v1/batch", {"batch": [{"type": kind, **call}]}
    _drop(mine, path, sent, event)


def capture_as_posthog(mine: Side, other: Side, path: str, event: Event) -> None:
    sent: dict[str, Any] = {
        "uuid": event["eventId"],
        "event": event["eventType"],
        "distinct_id": event["userId"],
        "timestamp": event["timestamp"],
        "properties": {**event["payload"], "$session_id": event["sessionId"]},
    }
    _drop(mine, path, {"batch": [sent]} if path == "/batch" else sent, event)


def _drop(mine: Side, path: str, sent: Any, event: Event) -> None:
    told = taken(mine, path, sent)
    keep(mine, [event], None, told, told["duplicates"])
