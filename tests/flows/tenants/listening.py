"""What a tenant is pushed: at each moment a state that his own events have been through."""

import json
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from typing import Any

from websockets.sync.client import ClientConnection, connect

from tests.flows.tenants.asking import are_his_sums, by_type
from tests.flows.tenants.side import DAY, METRICS, PATIENCE, Side

LIVE = "/api/v1/analytics/live"


def listen(mine: Side, other: Side) -> None:
    """Server-sent events that nobody listens to yet: sums for the key, counts for a ticket."""
    mine.asked(METRICS, **DAY)
    sums = {**DAY, "what": "numbers", "name": "price", "by": "userId"}
    are_his_sums(mine, _first(mine, {"x-api-key": mine.key}, sums))
    made = mine.call("POST", f"{LIVE}/ticket", as_user=True)
    ticket = {"ticket": made.json()["data"]["ticket"]}
    told = _first(mine, {}, {**DAY, "limit": "3", **ticket})
    assert by_type(told) == Counter(event["eventType"] for event in mine.of_the_day())
    assert mine.client.get(LIVE, params=ticket).status_code == 401
    mine.touched.add(("GET", LIVE))
    mine.used["key"] += 1


def _first(mine: Side, headers: dict[str, str], asked: dict[str, str]) -> Any:
    with mine.client.stream("GET", LIVE, params=asked, headers=headers) as stream:
        [pushed] = islice((line for line in stream.iter_lines() if line.startswith("data:")), 1)
    return json.loads(pushed[5:])["data"]


@dataclass
class Ear:
    """Listens over a WebSocket while the story goes on."""

    _mine: Side
    _socket: ClientConnection

    def hear_out(self) -> None:
        """Each document that came fits, and the last one has all that was sent."""
        self._mine.asked(METRICS, **DAY)
        heard = {"totalEvents": -1}
        while heard["totalEvents"] != len(self._mine.of_the_day()):
            heard = json.loads(self._socket.recv(PATIENCE))["data"]
            _has_been(self._mine, heard)


@contextmanager
def hearing(mine: Side) -> Iterator[Ear]:
    """An ear at the metrics of the day."""
    url = str(mine.client.base_url.copy_with(scheme="ws", path=LIVE, params=DAY))
    mine.used["key"] += 1
    with connect(url, subprotocols=["headrace", mine.key], proxy=None) as socket:
        yield Ear(mine, socket)


def _has_been(mine: Side, document: Any) -> None:
    """So many of his events, in the order in which he sent them, are of these types."""
    first = mine.of_the_day()[: document["totalEvents"]]
    assert by_type(document) == Counter(event["eventType"] for event in first)
    assert document["totalEvents"] == len(first)
