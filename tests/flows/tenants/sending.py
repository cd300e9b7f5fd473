"""All doors by which a tenant sends: the three faces, with ids that both use."""

import hmac
import json
from collections.abc import Mapping, Sequence
from typing import Any

import httpx2

from service.accounts.derivations import signing_keys
from service.api.signed.records import KINDS
from service.query.customers import ATTRIBUTES, PROFILE
from tests.flows.tenants.side import ACCOUNT, WORKSPACE, Event, Side, iso_now

_PARTNERS = {"account_id": ACCOUNT, "workspace_id": WORKSPACE}
_TYPES = {"system-events": "system"}
_ELSEWHERE = {*_PARTNERS, "user_id", "event_id", "event_time", "metadata"}
"""Fields of a partner's record that are no part of the payload."""


def send(mine: Side, other: Side, events: Sequence[Event], key: str | None) -> None:
    """Events with the ids that both use, or with those that an idempotency key gives them."""
    sent = {"events": [_as_sent(event, key) for event in events]}
    told = taken(mine, "/api/v1/events/batch", sent, key)["data"]
    keep(mine, events, key, told, told["duplicates"])


def send_one(mine: Side, other: Side, event: Event) -> None:
    told = taken(mine, "/api/v1/events", event)["data"]
    keep(mine, [event], None, told, told["duplicate"])


def ingest(mine: Side, other: Side, events: Sequence[Event], key: str | None) -> None:
    """The same, in the words of the thedata face."""
    sent = [_snake(_as_sent(event, key)) for event in events]
    told = taken(mine, "/v1/ingest/events/batch", sent, key)
    keep(mine, events, key, told, told["duplicates"])


def ingest_one(mine: Side, other: Side, event: Event) -> None:
    told = taken(mine, "/v1/ingest/events", _snake(event))
    keep(mine, [event], None, told, told["duplicate"])


def ingest_points(mine: Side, other: Side, events: Sequence[Event]) -> None:
    """Points of the metric `price`, under the ids of events."""
    points = [
        {"name": "price", "value": event["payload"]["price"], **_snake(event, "timestamp")}
        for event in events
    ]
    told = taken(mine, "/v1/ingest/metrics", points)
    nobody = {"eventType": "metric", "userId": "", "sessionId": ""}
    kept = [
        {**event, **nobody, "payload": {"price": event["payload"]["price"]}} for event in events
    ]
    keep(mine, kept, None, told, told["duplicates"])


def push(mine: Side, other: Side, name: str, event: Event, in_path: bool) -> None:
    """A record of a partner: both have one for the same account and workspace."""
    record = {**KINDS[name].example, **_PARTNERS, **_told(mine, name, event)}
    given = pushed(mine, name, record, in_path)
    assert given.status_code == 200, given.text
    ids = set(given.json()["recordIds"])
    assert not ids & other.records, "two records have one id"
    mine.records |= ids
    event_id, kept = _as_event(mine, name, record)
    mine.keep(event_id, kept)
    follow_up(mine)


def pushed(mine: Side, name: str, record: Mapping[str, Any], in_path: bool) -> httpx2.Response:
    """What the partner is answered, whose path or headers say for whom he sends."""
    body = json.dumps(record).encode()
    key = signing_keys(mine.partner, ACCOUNT, WORKSPACE).keys["hkdf"]
    headers = {
        "content-type": "application/json",
        "x-optikpi-token": mine.partner,
        "x-hmac-signature": hmac.new(key, body, "sha256").hexdigest(),
    }
    path = f"/apigw/ingest/{name}"
    if in_path:
        path += f"/{ACCOUNT}/{WORKSPACE}"
    else:
        headers |= {"x-optikpi-account-id": ACCOUNT, "x-optikpi-workspace-id": WORKSPACE}
    return mine.show("POST", path, headers, content=body)


def follow_up(mine: Side) -> None:
    """One more event, of now: what partners send has no receipt, but this one has."""
    mine.sent["mark"] += 1
    nobody = {"userId": "", "sessionId": "", "payload": {}}
    mark = {"eventType": "mark", "eventId": f"mark {mine.sent['mark']}", "timestamp": iso_now()}
    told = taken(mine, "/v1/ingest/events", _snake(mark))
    keep(mine, [{**mark, **nobody}], None, told, told["duplicate"])


def taken(mine: Side, path: str, sent: Any, key: str | None = None) -> Any:
    """What he is told, whose events were taken."""
    headers = {} if key is None else {"idempotency-key": key}
    answer = mine.call("POST", path, json=sent, headers=headers)
    assert answer.status_code in {200, 202}, answer.text
    return answer.json()


def keep(
    mine: Side, events: Sequence[Event], key: str | None, told: Mapping[str, Any], known: int
) -> None:
    """These were sent, and told to be `known` already."""
    ids = [e["eventId"] if key is None else (key, n) for n, e in enumerate(events)]
    repeats = len(ids) - len(set(ids) - set(mine.kept))
    assert known <= repeats, "told of an event that he never sent"
    for event_id, event in zip(ids, events, strict=True):
        mine.keep(event_id, event)
    mine.receipts += [told["receipt"]] if told["receipt"] else []


def _told(mine: Side, name: str, event: Event) -> Event:
    """What a partner tells instead of the example. Of customers he tells each time something else,
    but both partners the same.
    """
    mine.sent[name] += 1
    whose = {"user_id": event["userId"]}
    if name == "customers":
        return {**whose, "username": f"name {mine.sent[name]}"}
    if name == "extattributes":
        return {**whose, "list_name": "list 1", "ext_data": {"number": mine.sent[name]}}
    told = {"event_id": event["eventId"], "event_time": event["timestamp"], **event["payload"]}
    return told if name.endswith("system-events") else {**whose, **told}


def _as_event(mine: Side, name: str, record: Event) -> tuple[object, Event]:
    """The event that a record becomes, and what it is known by."""
    user = {"userId": record["user_id"], "sessionId": ""}
    if name == "customers":
        event = {"eventType": PROFILE, "timestamp": record["creation_timestamp"]}
        return (name, mine.sent[name]), {**user, **event, "payload": record}
    if name == "extattributes":
        return (name, mine.sent[name]), {
            **user,
            "eventType": ATTRIBUTES,
            "timestamp": iso_now(),
            "payload": {"list_name": record["list_name"], "ext_data": record["ext_data"]},
        }
    kind = name.removeprefix("events/")
    event_type = _TYPES.get(kind, kind)
    if event_type == "system":
        user["userId"] = ""
    payload = {field: value for field, value in record.items() if field not in _ELSEWHERE}
    about = {"eventType": event_type, "timestamp": record["event_time"], "payload": payload}
    return record["event_id"], {**user, **about}


def _as_sent(event: Event, key: str | None) -> Event:
    """With an idempotency key events have no ids."""
    if key is None:
        return event
    return {name: value for name, value in event.items() if name != "eventId"}


_SNAKE = {
    "eventId": "event_id",
    "eventType": "event_type",
    "userId": "user_id",
    "sessionId": "session_id",
    "timestamp": "timestamp",
    "payload": "properties",
}


def _snake(event: Event, *names: str) -> Event:
    """The event in the words of thedata; its id and these fields alone, if any are named."""
    wanted = {"eventId", *names} if names else set(_SNAKE)
    return {_SNAKE[name]: value for name, value in event.items() if name in wanted}
