"""What people see of a pipeline that runs: its log, figures, records, and those it refused."""

import json
import socket
import time
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import urlsplit

import httpx2
import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import ClientConnection, connect

from tests.api.pipelines import flat
from tests.flows.tenants.side import iso_now
from tests.whole import Whole, the_whole_service

PATIENCE = 60.0
COLUMNS = [
    {"key": "user_id", "path": "$.user", "primary_key": True},
    {"key": "price", "path": "$.price", "cast": "float", "nullable": False},
]


class Watched:
    """A live pipeline from HTTP into the event store, and who owns it."""

    def __init__(self, whole: Whole, client: httpx2.Client) -> None:
        self.whole, self.client = whole, client
        self.token = whole.run(whole.accounts.token("ada@example.com"))
        team = self.told("POST", "/api/teams", {"name": "team"}, 201)["id"]
        asked = flat(team, subscription_mapper_config=COLUMNS)
        made = self.told("POST", "/api/pipelines", asked, 201)
        self.source, self.subscription = made["source_id"], made["subscription_id"]
        self.model, self.one = made["datamodel_id"], f"/api/pipelines/{made['id']}"
        scopes = {"name": "k", "scopes": ["ingest", "read", "admin"]}
        key = self.told("POST", "/api/auth/api-key", scopes)["data"]["apiKey"]
        self.key = {"x-api-key": key}
        self.told("POST", f"{self.one}/start", None, 202)
        self.until(lambda: self.told("GET", self.one)["state"] == "live")
        self.letters = f"/api/subscriptions/{self.subscription}/dead-letters"

    def told(self, method: str, path: str, body: Any = None, status: int = 200) -> Any:
        headers = {"authorization": f"Bearer {self.token}"}
        answer = self.client.request(method, path, json=body, headers=headers)
        assert answer.status_code == status, (path, answer.text)
        return answer.json() if answer.content else None

    def push(self, *records: Any) -> None:
        """Post records, and wait until the pipeline has done with them."""
        path = f"/api/v1/pipelines/{self.one.rpartition('/')[2]}/records"
        taken = self.client.post(path, json=records, headers=self.key)
        assert taken.status_code == 202, taken.text

    def until(self, is_so: Callable[[], Any]) -> Any:
        deadline = time.monotonic() + PATIENCE
        while not (found := is_so()):
            assert time.monotonic() < deadline, "it never came"
            time.sleep(0.05)
        return found

    def figures(self) -> Any:
        """Those of its subscription."""
        told = self.told("GET", f"{self.one}/latency-informations")
        return told["subscriptions"].get(self.subscription, {"records": 0, "refused": 0})

    def settled(self) -> int:
        """The records written, once all that was pushed until now is."""
        now = iso_now()
        told = self.until(
            lambda: (f := self.figures()).get("as_of", "") > now and f["lag"] == 0 and f
        )
        return int(told["records"])

    def count(self) -> int:
        """Events in the store."""
        told = self.client.get("/api/v1/events/stats", headers=self.key).json()
        return int(told["data"]["totalIngested"])


@pytest.fixture(scope="module")
def watched(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Watched]:
    folder = tmp_path_factory.mktemp("watched")
    with (
        the_whole_service(folder / "data", carries=True, group_seconds=0.0) as whole,
        httpx2.Client(base_url=whole.url, timeout=20) as client,
    ):
        yield Watched(whole, client)


def test_records_arrive_and_figures_tell_of_them(watched: Watched):
    before, count = watched.settled(), watched.count()
    watched.push({"user": "a1", "price": 1}, {"user": "a2", "price": "2.5"})
    told = watched.until(lambda: (f := watched.figures())["records"] == before + 2 and f)
    assert (told["refused"], told["in_trouble"], told["last_error"]) == (0, False, None)
    assert told["latency_ms"]["p99"] >= told["latency_ms"]["p50"] >= 0
    watched.until(lambda: watched.count() == count + 2)
    monitored = watched.told("GET", f"/api/datamodels/{watched.model}/monitoring")
    assert monitored["subscriptions"].keys() == {watched.subscription}
    path = f"/api/v1/sources/{watched.source}/metrics"
    metrics = watched.client.get(path, headers=watched.key).json()
    assert metrics["rows_written"] >= 2
    assert (metrics["lag"], metrics["last_run"]) == (0, None)


def test_a_refused_record_is_fixed_and_sent_again_or_thrown_away(watched: Watched):
    written = watched.settled()
    watched.push({"user": "b1", "price": "dear"}, {"user": "b2"})
    wrong, missing = watched.until(lambda: has(watched, 2))
    assert (wrong["value"], wrong["reason"]) == (
        {"user": "b1", "price": "dear"},
        'price: "dear" is no number',
    )
    assert missing["reason"] == "price: there is no value at $.price"
    fixed = {"value": {"user": "b1", "price": 3}}
    watched.told("POST", f"{watched.letters}/{wrong['number']}/replay", fixed, 202)
    watched.until(lambda: watched.figures()["records"] == written + 1)
    watched.told("DELETE", f"{watched.letters}/{missing['number']}", None, 204)
    assert watched.told("GET", watched.letters) == {"items": [], "next": None}
    gone = f"{watched.letters}/{missing['number']}"
    watched.told("DELETE", gone, None, 404)
    watched.told("POST", f"{gone}/replay", {}, 404)


def has(watched: Watched, letters: int) -> Any:
    """The dead letters, once there are so many."""
    items = watched.told("GET", watched.letters)["items"]
    return items if len(items) == letters else None


def test_a_dry_run_shows_what_a_mapper_would_make_and_writes_nothing(watched: Watched):
    watched.push({"user": "c1", "price": 4, "kind": "x"})
    watched.until(lambda: "kind" in fields(watched))
    columns = [{"key": "k", "path": "$.kind", "nullable": False}]
    told = watched.told("POST", f"{watched.one}/dry-run", {"mapper_config": columns})
    assert {"k": "x"} in told["records"]
    assert told["messages"] == len(told["records"]) + len(told["refused"])
    assert all("kind" not in miss["message"] for miss in told["refused"])
    wrong = {"mapper_config": [{"key": "k"}]}
    watched.told("POST", f"{watched.one}/dry-run", wrong, 422)
    assert "k" not in watched.told("GET", watched.one)["subscription_mapper_config"][0]


def fields(watched: Watched) -> dict[str, Any]:
    """What the newest messages have."""
    told = watched.told("GET", f"/api/datamodels/{watched.model}/schema")
    return {field["name"]: field["types"] for field in told["fields"]}


def test_a_schema_names_the_types_that_came(watched: Watched):
    watched.push({"user": "d1", "price": 5, "odd": None}, {"user": "d2", "price": 5, "odd": [1]})
    watched.until(lambda: fields(watched).get("odd") == ["array", "null"])
    assert fields(watched)["user"] == ["string"]


def test_a_backfill_brings_every_record_once_more_and_the_store_none_twice(watched: Watched):
    watched.push({"user": "e1", "price": 6})
    before = watched.settled()
    watched.until(lambda: watched.count() == before)
    assert watched.told("POST", f"{watched.one}/backfill", {}, 202) == {"subscriptions": 1}
    watched.until(lambda: watched.figures()["records"] > before)
    watched.settled()
    watched.push({"user": "e2", "price": 7})
    watched.until(lambda: watched.count() > before)
    assert watched.count() == before + 1


def test_a_log_is_read_and_followed(watched: Watched):
    lines = watched.told("GET", f"{watched.one}/logs?limit=1000")
    assert any("is live" in line["message"] for line in lines)
    with following(watched, watched.token) as heard:
        assert json.loads(heard.recv(PATIENCE))["level"] == "info"
        mark = f"mark {time.monotonic_ns()}"
        watched.push({"user": "f1", "price": mark})
        while mark not in json.loads(heard.recv(PATIENCE))["message"]:
            pass
    [letter, *_] = watched.until(lambda: watched.told("GET", watched.letters)["items"])
    watched.told("DELETE", f"{watched.letters}/{letter['number']}", None, 204)


def following(watched: Watched, token: str, of: str = "") -> ClientConnection:
    """A WebSocket as a browser opens it."""
    offered: Any = ["Authorization", token]
    url = f"{watched.whole.url.replace('http', 'ws')}{of or watched.one}/logs"
    return connect(url, subprotocols=offered, proxy=None)


def test_a_token_may_stand_behind_bearer_as_the_document_writes_it(watched: Watched):
    place = urlsplit(watched.whole.url)
    lines = [
        f"GET {watched.one}/logs HTTP/1.1",
        f"Host: {place.netloc}",
        "Connection: Upgrade",
        "Upgrade: websocket",
        "Sec-WebSocket-Version: 13",
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
        f"Sec-WebSocket-Protocol: Authorization, Bearer {watched.token}",
    ]
    with socket.create_connection((place.hostname or "", place.port or 0), 20) as line:
        line.sendall("\r\n".join([*lines, "", ""]).encode())
        assert line.recv(4096).startswith(b"HTTP/1.1 101 ")


def test_who_signs_out_hears_no_more(watched: Watched):
    token = watched.whole.run(watched.whole.accounts.token("ada@example.com"))
    of = f"/api/connectors/{watched.source}"
    with following(watched, token, of) as heard:
        assert json.loads(heard.recv(PATIENCE))["pipeline_id"] in watched.one
        headers = {"authorization": f"Bearer {token}"}
        assert watched.client.post("/api/auth/jwt/logout", headers=headers).status_code == 204
        with pytest.raises(ConnectionClosed):
            _hear_out(heard)


def _hear_out(heard: ClientConnection) -> None:
    while True:
        heard.recv(PATIENCE)


def test_a_stranger_is_told_nothing(watched: Watched):
    eve = watched.whole.run(watched.whole.accounts.token("eve@example.com"))
    headers = {"authorization": f"Bearer {eve}"}
    ways = ["/logs", "/latency-informations"]
    paths = [*(f"{watched.one}{way}" for way in ways), watched.letters]
    paths += [f"/api/datamodels/{watched.model}/{way}" for way in ("schema", "monitoring")]
    for path in paths:
        assert watched.client.get(path, headers=headers).status_code == 404, path
    for way in ("backfill", "dry-run"):
        refused = watched.client.post(f"{watched.one}/{way}", headers=headers, json={})
        assert refused.status_code == 404
    with pytest.raises(InvalidStatus, match="404"), following(watched, eve):
        pass


def test_who_had_records_come_again_or_go_away_is_in_the_audit_log(watched: Watched):
    watched.push({"user": "g1", "price": "dear"}, {"user": "g2", "price": "dear"})
    first, second = watched.until(lambda: refused_of(watched, "g1", "g2"))
    watched.told("POST", f"{watched.letters}/{first['number']}/replay", {}, 202)
    watched.told("DELETE", f"{watched.letters}/{second['number']}", None, 204)
    watched.told("DELETE", f"{watched.letters}/{second['number']}", None, 404)
    watched.told("POST", f"{watched.one}/backfill", {"since": "2030-01-01T00:00:00Z"}, 202)
    told = watched.told("GET", "/api/v1/audit?limit=3")["data"]["entries"]
    assert [one["action"].rpartition(".")[2] for one in told] == [
        "backfilled",
        "dead_letter_discarded",
        "dead_letter_replayed",
    ]
    assert {one["actor"]["name"] for one in told} == {"ada@example.com"}
    assert [one["details"].get("number") for one in told[1:]] == [
        second["number"],
        first["number"],
    ]


def refused_of(watched: Watched, *users: str) -> Any:
    """The dead letters of these users, once there is one of each."""
    items = watched.told("GET", watched.letters)["items"]
    found = [one for one in items if one["value"].get("user") in users]
    return found if len(found) == len(users) else None
