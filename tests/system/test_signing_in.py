"""Signing in to a running service, as somebody with nothing but its log does."""

import json
import re
import time
from datetime import UTC, datetime

import httpx2

from tests.running import RunningService


def bearer(token: str) -> dict[str, str]:
    return {"authorization": f"Bearer {token}"}


def signed_in(service: RunningService, email: str) -> str:
    """The token of a new session, by the code in the outbox."""
    asked = service.post("/api/auth/request-code", {"email": email})
    assert asked.status_code == 200
    letters = sorted((service.data_dir / "outbox").iterdir())
    code = re.search(r"\b\d{6}\b", letters[-1].read_text("utf-8"))[0]
    answer = service.post("/api/auth/verify", {"email": email, "code": code})
    assert code in service.log.read_text()
    return answer.json()["data"]["token"]


def statuses(service: RunningService, *tokens: str) -> list[int]:
    return [
        httpx2.get(f"{service.base_url}/api/auth/me", headers=bearer(token)).status_code
        for token in tokens
    ]


def an_event() -> dict[str, str]:
    now = datetime.now(UTC).isoformat()
    return {"eventType": "click", "userId": "ada", "sessionId": "s1", "timestamp": now}


def test_from_an_address_to_an_answer_of_ones_own(new_service):
    service = new_service().start()
    for email in ("ada@example.com", "bob@example.com"):
        token = signed_in(service, email)
        made = service.post("/api/auth/api-key", {"name": "k"}, **bearer(token)).json()["data"]
        sent = service.post("/api/v1/events", an_event(), **{"x-api-key": made["apiKey"]})
        path = f"/api/v1/analytics/metrics?after={sent.json()['data']['receipt']}"
        answer = httpx2.get(f"{service.base_url}{path}", headers=bearer(token))
        assert answer.json()["data"]["totalEvents"] == 1
        log = service.log.read_text()
        assert token not in log
        assert made["apiKey"] not in log
    assert service.stop() == 0


def test_sessions_outlive_a_restart_and_a_new_secret_but_not_their_end(new_service, tmp_path):
    service = new_service(SECRET_KEY="the first secret").start()
    ada, bob = signed_in(service, "ada@example.com"), signed_in(service, "bob@example.com")
    assert service.stop() == 0
    former = {"HEADRACE_FORMER_SECRET_KEYS": "the first secret"}
    service.start(SECRET_KEY="another secret", **former)
    assert statuses(service, ada, bob) == [200, 200]
    ended = service.headrace("users", "sign-out", "Ada@example.com")
    assert (ended.returncode, ended.stderr.strip()) == (
        0,
        "ended 1 of the sessions of Ada@example.com",
    )
    time.sleep(1)
    assert statuses(service, ada, bob) == [401, 200]
    listed = service.headrace("users", "list").stdout
    assert re.findall(r"^ *(\S+@\S+)", listed, re.M) == ["ada@example.com", "bob@example.com"]
    assert service.stop() == 0


def test_in_production_without_smtp_nobody_signs_in_and_the_log_says_why(new_service):
    service = new_service(HEADRACE_ENV="production", SECRET_KEY="k" * 32).start()
    url = f"{service.base_url}/api/auth/request-code"
    answer = httpx2.post(url, json={"email": "ada@example.com"})
    assert (answer.status_code, answer.json()["error"]["code"]) == (503, "MAIL_UNAVAILABLE")
    assert service.stop() == 0
    said = [json.loads(line)["event"] for line in service.log.read_text().splitlines()]
    assert "start.no_mail" in said
    assert not (service.data_dir / "outbox").exists()
