"""Both have a customer of one id; who erases him loses his own alone."""

import time

from service.query.customers import PROFILE
from tests.flows.tenants.asking import CUSTOMERS, GONE
from tests.flows.tenants.sending import follow_up, send_one
from tests.flows.tenants.side import DAY, METRICS, PATIENCE, Event, Side, iso_now

ERASURES = "/api/v1/erasures"


def erase(mine: Side, other: Side) -> None:
    for one, another in ((mine, other), (other, mine)):
        send_one(one, another, _telling(one))
        one.asked(METRICS, **DAY)  # what is not stored yet is erased without being counted
    his = [key for key, event in mine.kept.items() if event["userId"] == GONE]
    asked = mine.call("DELETE", f"{CUSTOMERS}/{GONE}")
    assert asked.status_code == 202, asked.text
    mine.erasures.append(asked.json()["data"]["id"])
    assert _erased(mine) == len(his)
    for key in his:
        del mine.kept[key]
    follow_up(mine)  # answers of before may be served until something has come
    assert mine.call("GET", f"{CUSTOMERS}/{GONE}").status_code == 404
    assert other.call("GET", f"{CUSTOMERS}/{GONE}").status_code == 200
    listed = mine.call("GET", ERASURES).json()["data"]["erasures"]
    mine.are_his([one["id"] for one in listed], mine.erasures)
    for one in other.erasures:
        assert mine.call("GET", f"{ERASURES}/{one}").status_code == 404


def _telling(side: Side) -> Event:
    side.sent[GONE] += 1
    return {
        "eventId": f"{GONE} {side.sent[GONE]}",
        "eventType": PROFILE,
        "userId": GONE,
        "sessionId": "session 1",
        "timestamp": iso_now(),
        "payload": {},
    }


def _erased(mine: Side) -> int:
    """How many events were deleted, once they are."""
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        told = mine.call("GET", f"{ERASURES}/{mine.erasures[-1]}").json()["data"]
        if told["state"] == "erased":
            return int(told["events"])
        time.sleep(0.02)
    raise AssertionError("it was not carried out")
