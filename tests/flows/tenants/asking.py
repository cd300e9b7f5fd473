"""What a tenant asks: each answer is that of his own events, computed or kept."""

import json
from collections import Counter
from collections.abc import Sequence
from typing import Any
from urllib.parse import quote

from service.query.customers import ATTRIBUTES, PROFILE
from tests.flows.tenants.side import DAY, METRICS, Event, Side

NUMBERS = "/api/v1/analytics/numbers"
SAVED = "/api/v1/analytics/saved"
EXPORT = "/api/v1/analytics/events/export"
CUSTOMERS = "/api/v1/customers"
OF_THEDATA = {"start_time": DAY["start"], "end_time": DAY["end"], "interval": "1d"}
GONE = "gone"
"""A user of both, whom now one of them erases and now the other."""
USERS = ["user 0", "user 1", "user 2", GONE]


def ask(mine: Side, other: Side, question: dict[str, str]) -> None:
    """The metrics, when they are computed and when they are kept."""
    events = mine.of_the_day(question)
    told, again = (mine.asked(METRICS, **DAY, **question) for _ in range(2))
    assert told["totalEvents"] == again["totalEvents"] == len(events)
    assert by_type(told) == _counted(events, "eventType")
    users = _counted([e for e in events if e["userId"]], "userId")
    assert {row["userId"]: row["eventCount"] for row in told["topUsers"]} == users
    assert told["uniqueUsers"] == len(users)
    assert told["uniqueSessions"] == len({e["sessionId"] for e in events} - {""})


def sum_up(mine: Side, other: Side) -> None:
    """The sums of what all doors call a price."""
    are_his_sums(mine, mine.asked(NUMBERS, **DAY, name="price", by="userId"))


def query(mine: Side, other: Side) -> None:
    """What the query language counts, by type."""
    asked = {"metrics": ["events"], "dimensions": ["eventType"], "range": DAY}
    found = {
        r["dimensions"]["eventType"]: r["metrics"]["events"] for r in _rows(mine, "query", asked)
    }
    assert found == _counted(mine.of_the_day(), "eventType")


def select(mine: Side, other: Side) -> None:
    """The same in SQL, which names no tenant; and customers."""
    where = "timestamp >= $start AND timestamp < $end"
    counts = f"SELECT event_type, count(*) FROM events WHERE {where} GROUP BY ALL"
    rows = _rows(mine, "sql", {"query": counts, "parameters": DAY}, as_user=True)
    assert dict(rows) == _counted(mine.of_the_day(), "eventType")
    told = [{"query": "SELECT user_id FROM customers WHERE profile IS NOT NULL"}]
    known = {user for [user] in _rows(mine, "sql", *told, as_user=True)}
    assert known == {user for user in USERS if "" in _known(mine, user)}


def follow_users(mine: Side, other: Side) -> None:
    """His users alone begin funnels, come back, take their ways and have sessions."""
    asked = {"steps": [{"event": "type 1"}, {"event": "type 2"}], "range": DAY}
    begun = {event["userId"] for event in mine.of_the_day({"eventType": "type 1"})}
    [row] = _rows(mine, "funnel", asked)
    assert row["steps"][0]["users"] == len(begun)
    cohorts = {"start": {"event": "type 1"}, "kind": "recurring", "range": DAY}
    came = _data(mine, "retention", cohorts)["cohorts"]
    assert sum(cohort["users"] for cohort in came) == len(begun)
    ways = _data(mine, "paths", {"from": {"event": "type 1"}, "gap": "24h", "range": DAY})
    journeys = sum(path["journeys"] for path in ways["paths"]) + ways["other"]["journeys"]
    assert journeys == len(begun)
    rows = _rows(mine, "sessions", {"range": DAY})
    assert sum(row["metrics"]["events"] for row in rows) == sum(
        event["userId"] != "" for event in mine.of_the_day()
    )


def export(mine: Side, other: Side) -> None:
    """His events as they are, asked for both ways."""
    mine.asked(METRICS, **DAY)
    for answer in (
        mine.call("GET", EXPORT, params=DAY),
        mine.call("POST", EXPORT, json={"range": DAY}),
    ):
        assert answer.status_code == 200, answer.text
        told = Counter(_of_line(json.loads(line)) for line in answer.text.splitlines())
        assert told == Counter(map(_of_line, mine.of_the_day()))


def _of_line(event: Event) -> tuple[str, str, str]:
    return event["eventType"], event["userId"] or "", event["sessionId"] or ""


def ask_saved(mine: Side, other: Side) -> None:
    """A question under a name that the other gives, too; nobody finds what the other has named."""
    asked = {"metrics": ["events"], "filters": [_OF_TYPE], "range": DAY}
    definition = {"question": asked, "parameters": {"type": {"type": "text"}}}
    for name in ("same", mine.environment_id):
        assert mine.call("PUT", f"{SAVED}/{name}", json=definition).is_success
    [row] = mine.asked(f"{SAVED}/same", type="type 1")["rows"]
    assert row["metrics"]["events"] == len(mine.of_the_day({"eventType": "type 1"}))
    names = [one["name"] for one in mine.call("GET", SAVED).json()["data"]["saved"]]
    assert sorted(names) == sorted(["same", mine.environment_id])
    assert mine.call("GET", f"{SAVED}/same/definition").json()["data"]["definition"] == definition
    for path in (other.environment_id, f"{other.environment_id}/definition"):
        assert mine.call("GET", f"{SAVED}/{path}").status_code == 404
    assert mine.call("DELETE", f"{SAVED}/{other.environment_id}").status_code == 404
    assert mine.call("DELETE", f"{SAVED}/{mine.environment_id}").status_code == 204


_OF_TYPE = {"op": "is", "field": "eventType", "value": {"param": "type"}}


def ask_thedata(mine: Side, other: Side) -> None:
    """The thedata face's questions: of the day, and of what is going on now."""
    types = mine.answered("/v1/analytics/events", **OF_THEDATA, group_by="event_type")
    found = {row["event_type"]: row["value"] for row in types["data"]}
    assert found == _counted(mine.of_the_day(), "eventType")
    asked = {**OF_THEDATA, "metric_name": "price", "aggregation": "sum"}
    price = mine.answered("/v1/analytics/metrics", **asked)["aggregations"]["sum"]
    assert price == sum(event["payload"]["price"] for event in _priced(mine))
    now = mine.answered("/v1/analytics/realtime", window="24h", metrics="events,mark")
    lately = [e["eventType"] for e in mine.kept.values() if e["timestamp"] >= DAY["end"]]
    assert now["data"] == {"events": len(lately), "mark": lately.count("mark")}


def count_all(mine: Side, other: Side) -> None:
    mine.asked(METRICS, **DAY)
    told = mine.call("GET", "/api/v1/events/stats").json()["data"]
    assert told["totalIngested"] == len(mine.kept)


def follow(mine: Side, other: Side) -> None:
    """His receipts are good for himself; those of the other do not exist."""
    for receipt in mine.receipts[-2:]:
        assert mine.call("GET", f"/api/v1/receipts/{receipt}").status_code == 200
    for receipt in other.receipts[-2:]:
        assert mine.call("GET", f"/api/v1/receipts/{receipt}").status_code == 404
        for path in (METRICS, "/v1/analytics/realtime"):
            assert mine.call("GET", path, params={"after": receipt}).status_code == 404


def look_at_customers(mine: Side, other: Side) -> None:
    """All of his, page by page; each of them, and all that was told of him."""
    mine.asked(METRICS, **DAY)
    known = {user: _known(mine, user) for user in USERS}
    profiles = {user: now[""] for user, now in known.items() if "" in now}
    assert _pages(mine) == profiles
    for user, now in known.items():
        answer = mine.call("GET", f"{CUSTOMERS}/{quote(user)}")
        assert answer.status_code == (200 if now else 404)
        if now:
            told = answer.json()["data"]
            assert {"": told["profile"], **told.get("attributes", {})} == {"": None, **now}
        _look_back(mine, user)


def by_type(document: Any) -> dict[str, int]:
    """The counts in a metrics document."""
    return {row["eventType"]: row["count"] for row in document["eventsByType"]}


def are_his_sums(mine: Side, document: Any) -> None:
    """The document sums his prices up, by user."""
    sums = Counter[str]()
    for event in _priced(mine):
        sums[event["userId"]] += event["payload"]["price"]
    assert {row["key"]: row["sum"] for row in document["rows"]} == sums


def _rows(mine: Side, question: str, asked: Any, as_user: bool = False) -> Any:
    return _data(mine, question, asked, as_user)["rows"]


def _data(mine: Side, question: str, asked: Any, as_user: bool = False) -> Any:
    path = f"/api/v1/analytics/{question}"
    answer = mine.call("POST", path, json=asked, params=mine.after(), as_user=as_user)
    assert answer.status_code == 200, answer.text
    return answer.json()["data"]


def _pages(mine: Side) -> dict[str, Any]:
    found, cursor = {}, {}
    while cursor is not None:
        page = mine.call("GET", CUSTOMERS, params={"limit": 2, **cursor}).json()["data"]
        found.update({one["userId"]: one["profile"] for one in page["customers"]})
        cursor = {"cursor": page["nextCursor"]} if page["nextCursor"] else None
    return found


def _look_back(mine: Side, user: str) -> None:
    answer = mine.call("GET", f"{CUSTOMERS}/{quote(user)}/history")
    tellings = [_part(telling) for telling in _tellings(mine, user)]
    assert answer.status_code == (200 if tellings else 404)
    if tellings:
        versions = answer.json()["data"]["versions"]
        assert [(v["part"], v["document"]) for v in versions] == tellings


def _known(mine: Side, user: str) -> dict[str, Any]:
    """What is known of a customer now, by its part."""
    return dict(_part(telling) for telling in reversed(_tellings(mine, user)))


def _tellings(mine: Side, user: str) -> Sequence[Event]:
    """What was told of a customer, the latest first."""
    told = [
        event
        for event in mine.kept.values()
        if event["userId"] == user and event["eventType"] in {PROFILE, ATTRIBUTES}
    ]
    order = sorted(range(len(told)), key=lambda n: (told[n]["timestamp"], n), reverse=True)
    return [told[n] for n in order]


def _part(telling: Event) -> tuple[str, Any]:
    payload = telling["payload"]
    if telling["eventType"] == PROFILE:
        return "", payload
    return payload["list_name"], payload["ext_data"]


def _counted(events: Sequence[Event], name: str) -> Counter[str]:
    return Counter(event[name] for event in events)


def _priced(mine: Side) -> list[Event]:
    return [event for event in mine.of_the_day() if "price" in event["payload"]]
