"""`/api/v1/analytics/saved`, whole: named, changed, asked in every form, listened to."""

import json
from collections.abc import Iterator
from typing import Any

import httpx2
import pytest

from service.api.questions.saved import FORMS
from tests.api.listening import LIVE
from tests.whole import Whole, the_whole_service

SAVED = "/api/v1/analytics/saved"
DEFINITION: dict[str, Any] = {
    "question": {
        "metrics": ["events"],
        "dimensions": ["payload.a"],
        "filters": [{"op": "is", "field": "userId", "value": {"param": "user"}}],
        "range": "24h",
    },
    "parameters": {"user": {"type": "text", "default": "ada"}},
}


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Whole]:
    with the_whole_service(tmp_path_factory.mktemp("whole") / "data", cache_seconds=0) as whole:
        yield whole


@pytest.fixture(scope="module")
def client(whole: Whole) -> Iterator[httpx2.Client]:
    key = whole.run(whole.accounts.keys.create("k", ("ingest", "read", "admin"))).text
    with httpx2.Client(base_url=whole.url, headers={"x-api-key": key}, timeout=30) as client:
        yield client


@pytest.fixture(scope="module")
def reader(whole: Whole) -> Iterator[httpx2.Client]:
    key = whole.run(whole.accounts.keys.create("r", ("read",))).text
    with httpx2.Client(base_url=whole.url, headers={"x-api-key": key}, timeout=30) as client:
        yield client


def send(client: httpx2.Client, user: str, **payload: Any) -> str:
    """Send an event of now; its receipt."""
    event = {"eventType": "x", "userId": user, "sessionId": "s", "payload": payload}
    event["timestamp"] = "2026-01-01T00:00:00Z"
    sent = client.post("/api/v1/events", json=event)
    assert sent.status_code == 202, sent.text
    return str(sent.json()["data"]["receipt"])


def save(client: httpx2.Client, name: str, **changed: Any) -> httpx2.Response:
    question = {**DEFINITION["question"], "range": {"start": "2026-01-01", "end": "2026-01-02"}}
    return client.put(f"{SAVED}/{name}", json={**DEFINITION, "question": question, **changed})


def rows(client: httpx2.Client, name: str, query: str = "") -> list[Any]:
    answer = client.get(f"{SAVED}/{name}?{query}")
    assert answer.status_code == 200, answer.text
    return [
        (row["dimensions"]["payload.a"], row["metrics"]["events"])
        for row in answer.json()["data"]["rows"]
    ]


def test_a_question_is_asked_by_its_name_with_its_parameters(client, reader):
    receipt = send(client, "u1", a="x")
    send(client, "u2", a="=y")
    made, again = save(client, "first"), save(client, "first")
    assert (made.status_code, again.status_code) == (201, 200)
    assert rows(reader, "first", f"after={receipt}&user=u1") == [("x", 1)]
    assert rows(reader, "first") == []


def test_an_answer_says_how_new_it_is_and_is_not_sent_twice(client, reader):
    save(client, "tagged")
    first = reader.get(f"{SAVED}/tagged")
    again = reader.get(f"{SAVED}/tagged", headers={"if-none-match": first.headers["etag"]})
    assert {"asOf", "source", "elapsedMs"} <= first.json()["data"].keys()
    assert (again.status_code, again.content) == (304, b"")


def test_a_question_that_is_kept_longer_says_so(client, reader):
    save(client, "slow", cacheSeconds=300)
    first, second = (reader.get(f"{SAVED}/slow?user=u9") for _ in range(2))
    assert "max-age=300" in first.headers["cache-control"]
    assert [answer.json()["data"]["cached"] for answer in (first, second)] == [False, True]


@pytest.mark.parametrize("form", FORMS, ids=lambda form: form.name)
def test_it_comes_in_every_form(client, reader, form):
    save(client, "formed")
    after = send(client, "forms", a="=z")
    answer = reader.get(f"{SAVED}/formed?format={form.name}&user=forms&after={after}")
    assert (answer.status_code, answer.headers["content-type"]) == (200, form.content_type.decode())
    assert b"=z" in answer.content


def test_a_prometheus_server_gets_gauges(client, reader):
    save(client, "gauges")
    after = send(client, "prom", a='"')
    accept = {"accept": "text/plain;version=0.0.4;q=0.5,*/*;q=0.1"}
    answer = reader.get(f"{SAVED}/gauges?user=prom&after={after}", headers=accept)
    assert 'headrace_gauges_events{payload_a="\\""} ' in answer.text


@pytest.mark.parametrize(
    ("query", "status", "field"),
    [
        ("format=xml", 406, "format"),
        ("usr=x", 400, "usr"),
        ("user=", 400, "user"),
        ("cursor=x", 400, "cursor"),
        ("after=x", 404, None),
    ],
)
def test_what_is_wrong_is_told_by_its_name(client, reader, query, status, field):
    save(client, "wrong")
    answer = reader.get(f"{SAVED}/wrong?{query}")
    assert answer.status_code == status
    assert answer.json()["error"]["details"].get("field") == field


def test_a_journey_has_a_name_too_and_is_not_drawn(client, reader):
    funnel = {"steps": [{"event": "x"}, {"event": {"param": "then"}}]}
    parameters = {"then": {"type": "text", "default": "y"}}
    made = client.put(
        f"{SAVED}/journey", json={"kind": "funnel", "question": funnel, "parameters": parameters}
    )
    assert made.status_code == 201, made.text
    assert reader.get(f"{SAVED}/journey?then=z").status_code == 200
    assert reader.get(f"{SAVED}/journey?format=csv").status_code == 200
    assert reader.get(f"{SAVED}/journey?format=prometheus").status_code == 406


def test_names_are_listed_told_and_taken_away(client, reader):
    save(client, "gone", description="for people")
    told = reader.get(f"{SAVED}/gone/definition").json()["data"]
    assert told["definition"]["description"] == "for people"
    assert "gone" in [one["name"] for one in reader.get(SAVED).json()["data"]["saved"]]
    assert client.delete(f"{SAVED}/gone").status_code == 204
    for path in ("gone", "gone/definition"):
        assert reader.get(f"{SAVED}/{path}").status_code == 404
    assert client.delete(f"{SAVED}/gone").status_code == 404


def test_readers_do_not_change_names_and_strangers_see_none(client, reader, whole):
    save(client, "mine")
    refused = [save(reader, "mine"), reader.delete(f"{SAVED}/mine")]
    assert [answer.status_code for answer in refused] == [403, 403]
    for path in (SAVED, f"{SAVED}/mine", f"{SAVED}/mine/definition", f"{LIVE}?saved=mine"):
        assert httpx2.get(whole.url + path).status_code == 401


def test_nobody_sees_the_names_of_another_environment(client, reader, whole):
    save(client, "ours")
    whole.run(whole.accounts.token("ada@example.com"))  # who comes first owns what there is
    token = whole.run(whole.accounts.token("bob@example.com"))
    bob = {"authorization": f"Bearer {token}"}
    assert httpx2.get(f"{whole.url}{SAVED}/ours", headers=bob).status_code == 404
    assert httpx2.get(f"{whole.url}{SAVED}", headers=bob).json()["data"]["saved"] == []
    assert httpx2.delete(f"{whole.url}{SAVED}/ours", headers=bob).status_code == 404


def events_of(lines: Iterator[str]) -> Iterator[Any]:
    """The documents that are pushed."""
    for line in lines:
        if line.startswith("data: "):
            yield json.loads(line.removeprefix("data: "))


def test_its_answer_is_pushed_when_it_changes_and_when_the_question_does(client, reader):
    save(client, "live")
    with reader.stream("GET", f"{LIVE}?saved=live&user=listener") as stream:
        told = events_of(stream.iter_lines())
        assert next(told)["data"]["rows"] == []
        send(client, "listener", a="x")
        assert next(told)["data"]["rows"][0]["metrics"] == {"events": 1}
        question = {**DEFINITION["question"], "metrics": ["users"], "range": "52w"}
        save(client, "live", question=question)
        assert next(told)["data"]["rows"][0]["metrics"] == {"users": 1}
        client.delete(f"{SAVED}/live")
        assert next(told)["error"]["code"] == "NOT_FOUND"


@pytest.mark.parametrize(
    ("query", "status"),
    [
        ("saved=nothing", 404),
        ("what=saved", 400),
        ("saved=heard&usr=x", 400),
        ("what=metrics&saved=heard", 400),
    ],
)
def test_what_cannot_be_listened_to_is_told_first(client, reader, query, status):
    save(client, "heard")
    assert reader.get(f"{LIVE}?{query}").status_code == status
