"""A customer erased over HTTP is gone for whoever asks; others, and other environments, stay."""

import time
from collections.abc import Iterator
from typing import Any

import httpx2
import pytest

from service.accounts.audit import SERVICE
from service.accounts.environments import new_environment
from tests.whole import Whole, the_whole_service

SLASHED = "a/b%2Fc d"
PATH = "a%2Fb%252Fc%20d"


@pytest.fixture(scope="module", params=["duckdb", "clickhouse"])
def whole(request, tmp_path_factory) -> Iterator[Whole]:
    folder = tmp_path_factory.mktemp("erasure")
    url = f"chdb://{folder / 'clickhouse'}" if request.param == "clickhouse" else ""
    quick = {"cache_seconds": 0.0, "group_seconds": 0.0, "clickhouse_url": url}
    with the_whole_service(folder / "data", bootstrap_api_key="evp_" + "k" * 40, **quick) as whole:
        yield whole


def call(whole: Whole, method: str, path: str, body: Any = None, key: str = "") -> httpx2.Response:
    headers = {"x-api-key": key or "evp_" + "k" * 40}
    return httpx2.request(method, f"{whole.url}/api/v1{path}", json=body, headers=headers)


def send(whole: Whole, user: str, *ids: str, key: str = "", **fields: Any) -> None:
    moment = "2026-01-02T12:00:00Z"
    event = {"eventType": "click", "userId": user, "sessionId": "s", "timestamp": moment, **fields}
    events = [{**event, "eventId": event_id} for event_id in ids]
    sent = call(whole, "POST", "/events/batch?ack=stored", {"events": events}, key)
    assert sent.json()["data"]["stored"], sent.text


def tell(whole: Whole, user: str, key: str = "") -> None:
    send(whole, user, f"p-{user}", key=key, eventType="customer.profile", payload={"n": 1})


def done(whole: Whole, asked: httpx2.Response) -> dict[str, Any]:
    assert asked.status_code == 202, asked.text
    deadline = time.monotonic() + 30
    while True:
        found = call(whole, "GET", asked.headers["location"].removeprefix("/api/v1"))
        if found.json()["data"]["state"] == "erased":
            return found.json()["data"]
        assert time.monotonic() < deadline
        time.sleep(0.05)


def total(whole: Whole, user: str, key: str = "") -> int:
    span = "start=2026-01-01T00:00:00Z&end=2026-01-03T00:00:00Z"
    found = call(whole, "GET", f"/analytics/metrics?{span}&userId={user}", key=key)
    return found.json()["data"]["totalEvents"]


def another_key(whole: Whole) -> str:
    """A key of an environment of its own."""

    async def make() -> str:
        database = whole.parts.database
        async with database.writing() as connection:
            environment = await new_environment(connection, f"other {time.monotonic_ns()}")
        new = await whole.parts.keys.create(
            "other", ("ingest", "read", "admin"), tenant=environment, by=SERVICE
        )
        return new.text

    return whole.run(make())


def test_all_of_a_customer_goes_and_no_other(whole):
    other = another_key(whole)
    for key, user in (("", "ada"), ("", "adam"), (other, "ada")):
        tell(whole, user, key)
        send(whole, user, f"{user}1", f"{user}2", key=key)
    erased = done(whole, call(whole, "DELETE", "/customers/ada"))
    assert (erased["events"], erased["versions"]) == (3, 1)
    assert call(whole, "GET", "/customers/ada").status_code == 404
    assert call(whole, "GET", "/customers/ada/history").status_code == 404
    assert total(whole, "ada") == 3  # adam's, for it is a substring
    assert call(whole, "GET", "/customers/ada", key=other).status_code == 200
    assert total(whole, "ada", other) == 3
    assert all(f.ok for f in whole.run(whole.parts.rollup.verify()))


def test_asked_once_more_the_same_erasure_answers_and_new_events_are_kept(whole):
    send(whole, "bob", "b1")
    first = done(whole, call(whole, "DELETE", "/customers/bob"))
    again = call(whole, "DELETE", "/customers/bob")
    assert (again.status_code, again.json()["data"]["id"]) == (202, first["id"])
    send(whole, "bob", "b1", "b2")
    assert total(whole, "bob") == 2
    assert done(whole, call(whole, "DELETE", "/customers/bob"))["events"] == 2
    assert total(whole, "bob") == 0


def test_an_id_with_slashes_is_named_by_its_path(whole):
    tell(whole, SLASHED)
    assert call(whole, "GET", f"/customers/{PATH}").json()["data"]["userId"] == SLASHED
    assert call(whole, "GET", f"/customers/{PATH}/history").status_code == 200
    assert call(whole, "GET", "/customers/a/b").status_code == 404
    assert done(whole, call(whole, "DELETE", f"/customers/{PATH}"))["versions"] == 1
    assert call(whole, "GET", f"/customers/{PATH}").status_code == 404


@pytest.mark.parametrize("path", ["/customers/nobody", "/customers/%2F"])
def test_nobody_is_404(whole, path):
    assert call(whole, "DELETE", path).status_code == 404


def test_the_erasures_of_an_environment_are_its_own(whole):
    send(whole, "eve", "e1")
    erased = done(whole, call(whole, "DELETE", "/customers/eve"))
    mine = call(whole, "GET", "/erasures").json()["data"]["erasures"]
    assert mine[0] == erased
    other = another_key(whole)
    assert call(whole, "GET", "/erasures", key=other).json()["data"]["erasures"] == []
    assert call(whole, "GET", f"/erasures/{erased['id']}", key=other).status_code == 404


def test_the_audit_log_tells_of_it_without_the_user(whole):
    send(whole, "very-secret-user", "v1")
    erased = done(whole, call(whole, "DELETE", "/customers/very-secret-user"))
    entries = call(whole, "GET", "/audit?action=customer.erased").json()["data"]["entries"]
    assert entries[0]["subject"] == erased["id"]
    assert "very-secret-user" not in str(entries)
