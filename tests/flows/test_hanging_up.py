"""Whoever hangs up on a question ends it in the engine: through a running service, on both."""

import json
import socket
from pathlib import Path

import httpx2
import pytest

from tests.whole import Whole, the_whole_service

SQL = "/api/v1/analytics/sql"
ENDLESS = "SELECT count(DISTINCT a.event_id || c.event_id) FROM events a" + "".join(
    f" CROSS JOIN events {name}" for name in "bcdefgh"
)
HANDLES = 2
"""How many of users' queries an engine in the service's process has under way at once."""


@pytest.mark.parametrize("engine", ["duckdb", "clickhouse"])
def test_queries_that_never_end_leave_room_when_their_callers_have_gone(tmp_path: Path, engine):
    url = f"chdb://{tmp_path}/clickhouse" if engine == "clickhouse" else ""
    with the_whole_service(tmp_path / "data", clickhouse_url=url, query_timeout=600.0) as whole:
        key = a_key(whole)
        send(whole, key)
        callers = [asking(whole, key, f"{ENDLESS} WHERE a.event_id <> '{n}'") for n in range(4)]
        for caller in callers[:HANDLES]:
            with pytest.raises(TimeoutError):
                caller.recv(1)
        for caller in callers:
            caller.close()
        assert ask(whole, key, "SELECT count(*) FROM events")["rows"] == [[300]]


def a_key(whole: Whole) -> str:
    new = whole.run(whole.accounts.keys.create("k", ("ingest", "read", "sql")))
    return new.text


def send(whole: Whole, key: str) -> None:
    events = [
        {"eventId": f"e{n}", "eventType": "t", "userId": "u", "sessionId": "s",
         "timestamp": "2024-02-12T10:00:00Z"}
        for n in range(300)
    ]  # fmt: skip
    headers = {"x-api-key": key}
    path = f"{whole.url}/api/v1/events/batch"
    sent = httpx2.post(path, json={"events": events}, headers=headers).json()["data"]
    after = {"after": sent["receipt"]}
    httpx2.get(f"{whole.url}/api/v1/analytics/metrics", params=after, headers=headers)


def asking(whole: Whole, key: str, query: str) -> socket.socket:
    """A connection on which a query was asked."""
    url = httpx2.URL(whole.url)
    body = json.dumps({"query": query}).encode()
    head = f"POST {SQL} HTTP/1.1\r\nhost: 127.0.0.1\r\nx-api-key: {key}\r\n"
    head += f"content-type: application/json\r\ncontent-length: {len(body)}\r\n\r\n"
    caller = socket.create_connection((url.host, url.port), timeout=0.3)
    caller.sendall(head.encode() + body)
    return caller


def ask(whole: Whole, key: str, query: str) -> dict:
    answer = httpx2.post(
        whole.url + SQL, json={"query": query}, headers={"x-api-key": key}, timeout=60
    )
    assert answer.status_code == 200, answer.text
    return answer.json()["data"]
