"""Two tenants who do the same at the same time, and what each of them must find.

Both have the same few event ids, users, sessions, questions, idempotency keys and names of keys.
Whatever one of them is told is held against what he alone has done.
"""

import json
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import count, islice
from typing import Any

import httpx2
from hypothesis import strategies as some

from tests.whole import Whole

DAY = {"start": "2026-01-02T00:00:00Z", "end": "2026-01-03T00:00:00Z"}
QUESTIONS = [{}, {"eventType": "type 1"}, {"userId": "user 1"}]
LIVE = "/api/v1/analytics/live"
METRICS, NUMBERS = "/api/v1/analytics/metrics", "/api/v1/analytics/numbers"
PATIENCE = 20

_people = count()
_addresses = count()


@dataclass
class Side:
    """One tenant: how he is known, what he has stored, what he was given."""

    client: httpx2.Client
    token: str
    key: str
    kept: dict[object, dict[str, Any]] = field(default_factory=dict)
    """What is stored, by id: of each the first that was sent."""
    receipts: list[str] = field(default_factory=list)
    keys: list[str] = field(default_factory=list)

    def call(
        self, method: str, path: str, *, as_user: bool = False, **more: Any
    ) -> httpx2.Response:
        number = next(_addresses)
        address = f"10.{number >> 16 & 255}.{number >> 8 & 255}.{number & 255}"
        known = {"authorization": f"Bearer {self.token}"} if as_user else {"x-api-key": self.key}
        headers = {"x-forwarded-for": address, **known, **more.pop("headers", {})}
        return self.client.request(method, path, headers=headers, **more)

    def asked(self, path: str, **parameters: Any) -> Any:
        """The answer to a question that must contain all that he has sent."""
        if self.receipts:
            parameters["after"] = self.receipts[-1]
        answer = self.call("GET", path, params=parameters)
        assert answer.status_code == 200, answer.text
        return answer.json()["data"]

    def that_fit(self, question: dict[str, str]) -> list[dict[str, Any]]:
        return [
            event
            for event in self.kept.values()
            if event["eventType"] == question.get("eventType", event["eventType"])
            and question.get("userId", "") in event["userId"]
        ]


def a_side(whole: Whole, client: httpx2.Client) -> Side:
    """Somebody who has just signed in for the first time, with a key of his environment."""
    token = whole.run(whole.accounts.token(f"person{next(_people)}@example.com"))
    side = Side(client, token, "")
    scopes = {"name": "all", "scopes": ["ingest", "read", "admin"]}
    made = side.call("POST", "/api/auth/api-key", as_user=True, json=scopes).json()["data"]
    side.key, side.keys = made["apiKey"], [made["keyId"]]
    return side


def send(mine: Side, other: Side, events: Sequence[dict[str, Any]], key: str | None) -> None:
    """Events with the ids that both use, or with those that an idempotency key gives them."""
    sent = [event if key is None else _without_id(event) for event in events]
    headers = {} if key is None else {"idempotency-key": key}
    answer = mine.call("POST", "/api/v1/events/batch", json={"events": sent}, headers=headers)
    assert answer.status_code == 202, answer.text
    told = answer.json()["data"]
    ids = [e["eventId"] if key is None else (key, n) for n, e in enumerate(events)]
    repeats = len(ids) - len(set(ids) - set(mine.kept))
    assert told["duplicates"] <= repeats, "told of an event that he never sent"
    for event_id, event in zip(ids, events, strict=True):
        mine.kept.setdefault(event_id, event)
    mine.receipts += [told["receipt"]] if told["receipt"] else []


def ask(mine: Side, other: Side, question: dict[str, str]) -> None:
    """The metrics are those of his own events, when they are computed and when they are kept."""
    events = mine.that_fit(question)
    told, again = (mine.asked(METRICS, **DAY, **question) for _ in range(2))
    assert told["totalEvents"] == again["totalEvents"]
    types, users = (Counter(e[name] for e in events) for name in ("eventType", "userId"))
    assert told["totalEvents"] == len(events)
    assert {row["eventType"]: row["count"] for row in told["eventsByType"]} == types
    assert {row["userId"]: row["eventCount"] for row in told["topUsers"]} == users
    assert told["uniqueUsers"] == len(users)
    assert told["uniqueSessions"] == len({e["sessionId"] for e in events})


def sum_up(mine: Side, other: Side) -> None:
    """The sums are those of his own events."""
    rows = mine.asked(NUMBERS, **DAY, name="price", by="userId")["rows"]
    sums = Counter[str]()
    for event in mine.kept.values():
        sums[event["userId"]] += event["payload"]["price"]
    assert {row["key"]: row["sum"] for row in rows} == sums


def query(mine: Side, other: Side) -> None:
    """What the query language counts are his own events, by type."""
    asked = {"metrics": ["events"], "dimensions": ["eventType"], "range": DAY}
    after = {"after": mine.receipts[-1]} if mine.receipts else {}
    answer = mine.call("POST", "/api/v1/analytics/query", json=asked, params=after)
    assert answer.status_code == 200, answer.text
    rows = answer.json()["data"]["rows"]
    types = Counter(event["eventType"] for event in mine.kept.values())
    assert {r["dimensions"]["eventType"]: r["metrics"]["events"] for r in rows} == types


def listen(mine: Side, other: Side) -> None:
    """The first document that is pushed counts no more than he has sent."""
    mine.asked(METRICS, **DAY)
    headers = {"x-api-key": mine.key}
    with mine.client.stream("GET", LIVE, params=DAY, headers=headers) as stream:
        [pushed] = islice((line for line in stream.iter_lines() if line.startswith("data:")), 1)
    assert json.loads(pushed[5:])["data"]["totalEvents"] == len(mine.kept)


def count_all(mine: Side, other: Side) -> None:
    """The total is that of his own events."""
    mine.asked(METRICS, **DAY)
    assert mine.call("GET", "/api/v1/events/stats").json()["data"]["totalIngested"] == len(
        mine.kept
    )


def follow(mine: Side, other: Side) -> None:
    """His receipts are good for himself; those of the other do not exist."""
    for receipt in mine.receipts[-2:]:
        assert mine.call("GET", f"/api/v1/receipts/{receipt}").status_code == 200
    for receipt in other.receipts[-2:]:
        assert mine.call("GET", f"/api/v1/receipts/{receipt}").status_code == 404
        assert mine.call("GET", METRICS, params={"after": receipt}).status_code == 404


def make_key(mine: Side, other: Side) -> None:
    made = mine.call("POST", "/api/auth/api-key", as_user=True, json={"name": "the same name"})
    mine.keys.append(made.json()["data"]["keyId"])


def look_at_keys(mine: Side, other: Side) -> None:
    """He sees his own keys, and cannot revoke the other's."""
    listed = mine.call("GET", "/api/auth/api-key").json()["data"]["keys"]
    assert [key["keyId"] for key in listed] == mine.keys
    for key_id in other.keys[-2:]:
        assert mine.call("DELETE", f"/api/auth/api-key/{key_id}").status_code == 404


def look_at_the_audit_log(mine: Side, other: Side) -> None:
    entries = mine.call("GET", "/api/v1/audit").json()["data"]["entries"]
    made = {entry["subject"] for entry in entries if entry["action"] == "key.made"}
    assert made == set(mine.keys)


Step = Callable[[Side, Side], None]


def _without_id(event: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in event.items() if name != "eventId"}


def _sending(events: Sequence[dict[str, Any]], key: str | None) -> Step:
    return lambda mine, other: send(mine, other, events, key)


def _asking(question: dict[str, str]) -> Step:
    return lambda mine, other: ask(mine, other, question)


def _few(name: str) -> some.SearchStrategy[str]:
    return some.integers(0, 2).map(lambda number: f"{name} {number}")


EVENTS = some.fixed_dictionaries(
    {
        "eventId": _few("event"),
        "eventType": _few("type"),
        "userId": _few("user"),
        "sessionId": _few("session"),
        "timestamp": some.integers(10, 14).map(lambda hour: f"2026-01-02T{hour}:00:00Z"),
        "payload": some.fixed_dictionaries({"price": some.integers(0, 9)}),
    }
)
SENDING = some.builds(
    _sending, some.lists(EVENTS, min_size=1, max_size=4), some.none() | _few("key")
)
ASKING = some.sampled_from(QUESTIONS).map(_asking)
LOOKING = some.sampled_from(
    [sum_up, query, listen, count_all, follow, make_key, look_at_keys, look_at_the_audit_log]
)
STEPS = some.lists(
    some.tuples(some.booleans(), SENDING | ASKING | LOOKING), min_size=6, max_size=16
)
"""Who does it (the first or the second), and what."""


def act(whole: Whole, steps: Sequence[tuple[bool, Step]]) -> None:
    """Two new tenants do all this in turn, and look at everything at the end."""
    with httpx2.Client(base_url=whole.url, timeout=PATIENCE) as client:
        first, second = a_side(whole, client), a_side(whole, client)
        for is_second, step in [*steps, *_looking_around()]:
            step(*((second, first) if is_second else (first, second)))


def _looking_around() -> Iterator[tuple[bool, Step]]:
    for step in (*map(_asking, QUESTIONS), sum_up, query, listen, count_all, follow, look_at_keys):
        yield False, step
        yield True, step
