"""Pipelines inside a running service: made over HTTP, carried by its worker, kept over kills."""

import time
from datetime import UTC, datetime
from typing import Any

import httpx2
import pytest

from service.crash import EXIT_CODE
from tests.running import RunningService

ADA = {"email": "ada@example.com", "password": "MySecurePassword123!"}
MAPPER = [
    {"key": "user_id", "path": "$.who", "primary_key": True},
    {"key": "event_id", "path": "$.id", "cast": "string"},
    {"key": "price", "path": "$.price", "cast": "float"},
]


class Owner:
    """Whoever owns an environment, over HTTP; the service is called with his key from then on."""

    def __init__(self, service: RunningService) -> None:
        self.service = service
        self.call("POST", "/api/auth/register", json=ADA)
        form = {"username": ADA["email"], "password": ADA["password"]}
        self.token = self.call("POST", "/api/auth/jwt/login", data=form)["access_token"]
        self.call("POST", "/api/envs", json={"name": "piped"})
        made = self.call(
            "POST", "/api/auth/api-key", json={"name": "k", "scopes": ["ingest", "read"]}
        )
        service.api_key = made["data"]["apiKey"]
        self.team = self.call("POST", "/api/teams", json={"name": "team"})["id"]

    token = ""

    def call(self, method: str, path: str, **more: Any) -> Any:
        headers = {"authorization": f"Bearer {self.token}"} if self.token else {}
        url = self.service.base_url + path
        answer = httpx2.request(method, url, headers=headers, timeout=30, **more)
        assert answer.status_code < 300, answer.text
        return answer.json() if answer.content else None

    def pipeline(self, name: str = "orders", **more: Any) -> str:
        """The id of a new pipeline into the event store, started."""
        source = {"source_name": f"{name}-in", "source_type": "HTTP_SOURCE", "source_config": {}}
        target = {"target_name": f"{name}-out", "target_type": "WAREHOUSE_TARGET"}
        wanted = {"name": name, "team_id": self.team, **source, **target, **more}
        wanted.setdefault("target_config", {"event_type": name})
        made = self.call("POST", "/api/pipelines", json=wanted)["id"]
        self.call("POST", f"/api/pipelines/{made}/start")
        return made


def push(service, pipeline, ids, **headers):
    records = [{"id": n, "who": f"u{n % 9}", "price": n / 2} for n in ids]
    return service.post(f"/api/v1/pipelines/{pipeline}/records", records, **headers)


def counted(service) -> dict[str, int]:
    """Events of each type."""
    found = service.get("/api/v1/analytics/metrics", timeRange="24h", key=service.api_key).json()[
        "data"
    ]
    return {one["eventType"]: one["count"] for one in found["eventsByType"]}


def wait_for(holds, within=60.0):
    deadline = time.monotonic() + within
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.1)


def test_posted_records_become_events_once_over_a_kill_and_a_restart(new_service):
    service = new_service().start(HEADRACE_CRASH_AT="pipeline.after_write:2")
    pipeline = Owner(service).pipeline(subscription_mapper_config=MAPPER)
    assert push(service, pipeline, range(200)).status_code == 202
    wait_for(lambda: counted(service).get("orders") == 200)
    push(service, pipeline, range(200, 400))
    assert service.ended(60) == EXIT_CODE
    service.start()
    assert push(service, pipeline, range(400, 500)).json()["accepted"] == 100
    wait_for(lambda: counted(service).get("orders", 0) >= 500)
    assert counted(service)["orders"] == 500
    assert service.stop() == 0


@pytest.fixture(scope="module")
def owner(tmp_path_factory):
    service = RunningService(tmp_path_factory.mktemp("piped") / "data")
    try:
        yield Owner(service.start())
    finally:
        service.clean_up()


def test_the_same_idempotency_key_is_taken_once(owner):
    pipeline = owner.pipeline("once")
    sent = [push(owner.service, pipeline, range(5), **{"Idempotency-Key": "k"}) for _ in "ab"]
    assert sent[0].json() == sent[1].json() == {"status": "accepted", "accepted": 5, "sequence": 1}
    wait_for(lambda: counted(owner.service).get("once") == 5)


def test_events_go_out_of_the_stream_into_another_type_and_feed_no_loop(owner):
    config = {"source_type": "STREAM_SOURCE", "source_config": {"start": "first"}}
    owner.service.post("/api/v1/events", {**EVENT, "eventId": "e1"})
    mapper = [{"key": "user_id", "path": "$.user_id"}, {"key": "was", "path": "$.event_id"}]
    owner.pipeline("copies", **config, subscription_mapper_config=mapper)
    wait_for(lambda: counted(owner.service).get("copies") == 1)
    owner.service.post("/api/v1/events", {**EVENT, "eventId": "e2"})
    wait_for(lambda: counted(owner.service).get("copies") == 2)
    wait_for(lambda: counted(owner.service).get("signup") == 2)
    assert counted(owner.service)["copies"] == 2


NOW = datetime.now(UTC).isoformat()
EVENT = {"eventType": "signup", "userId": "u", "sessionId": "s", "timestamp": NOW}


def test_records_that_cannot_be_taken_are_answered_with_what_is_wrong(owner):
    path = "/api/v1/pipelines/{}/records".format
    pipeline = owner.pipeline("strict")
    post = owner.service.post
    assert post(path("nowhere"), {}).status_code == 404
    assert post(path(pipeline), [1]).status_code == 400
    assert post(path(pipeline), []).status_code == 400
    assert post(path(pipeline), [{}] * 1001).status_code == 413
