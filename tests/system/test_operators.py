"""What operators change by command, while the service runs."""

import json
import sqlite3
import subprocess
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import httpx2

from tests.running import RunningService
from tests.system.test_up import an_event


def wait_for(said: Callable[[], bool]) -> None:
    """Return when it is so; there is nothing to be learnt from how long it takes."""
    deadline = time.monotonic() + 30
    while not said():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def status_with(service: RunningService, key: str) -> int:
    return service.get("/api/v1/events/stats", key=key).status_code


def listed(service: RunningService, *words: str) -> list[dict[str, Any]]:
    shown = service.headrace(*words, "--json").stdout
    return [json.loads(line) for line in shown.splitlines()]


def test_a_key_rotated_without_grace_is_refused_and_its_successor_taken(running_service):
    former = running_service.headrace("keys", "create", "--name", "rotated").stdout.strip()
    assert status_with(running_service, former) == 200
    (key,) = [k for k in listed(running_service, "keys", "list") if k["name"] == "rotated"]
    new = running_service.headrace("keys", "rotate", key["id"], "--grace", "0").stdout.strip()
    assert status_with(running_service, new) == 200
    wait_for(lambda: status_with(running_service, former) == 401)


def test_a_user_made_by_command_signs_in_until_he_is_deactivated(running_service):
    email, password = "made@example.com", "a password of the tests"
    made = subprocess.run(
        [running_service.command[0], "users", "make", email],
        env=running_service._variables({}),
        input=f"{password}\n",
        text=True,
        check=False,
    )
    assert made.returncode == 0
    form = {"username": email, "password": password}
    login = httpx2.post(f"{running_service.base_url}/api/auth/jwt/login", data=form)
    headers = {"authorization": f"Bearer {login.json()['access_token']}"}

    def status() -> int:
        return httpx2.get(f"{running_service.base_url}/api/users/me", headers=headers).status_code

    assert status() == 200
    running_service.headrace("users", "make", "other@example.com", "--without-password")
    running_service.headrace("users", "promote", "other@example.com")
    assert running_service.headrace("users", "deactivate", email).returncode == 0
    wait_for(lambda: status() == 401)
    again = httpx2.post(f"{running_service.base_url}/api/auth/jwt/login", data=form)
    assert again.status_code == 400


def test_the_log_is_followed_as_it_is_written(running_service):
    tail = running_service.begin("audit", "tail", "--action", "key.made")
    try:
        time.sleep(0.1)
        running_service.headrace("keys", "create", "--name", "seen-while-following")
        wait_for(lambda: "seen-while-following" in running_service.log.read_text())
    finally:
        tail.terminate()
        tail.wait(30)


def names(service: RunningService) -> set[str]:
    """Of the keys whose making the audit log remembers."""
    entries = listed(service, "audit", "list", "--action", "key.made")
    return {entry["details"]["name"] for entry in entries}


def test_the_service_that_writes_forgets_old_entries(tmp_path: Path):
    service = RunningService(tmp_path / "data")
    service.headrace("keys", "create", "--name", "old")
    with closing(sqlite3.connect(service.data_dir / "control.sqlite")) as control, control:
        control.execute("UPDATE audit SET at = 1")
    service.headrace("keys", "create", "--name", "new")
    assert names(service) >= {"old", "new"}
    try:
        service.start()
        wait_for(lambda: "old" not in names(service))
        assert "new" in names(service)
    finally:
        service.clean_up()


def test_a_customer_is_erased_by_command_beside_the_service_and_without_it(new_service):
    service = new_service(HEADRACE_CACHE_SECONDS=0).start()

    def erase_one(user: str) -> str:
        done = service.headrace("customers", "erase", user)
        assert done.returncode == 0, done.stderr
        return done.stdout

    events = [an_event(f"{user}1", userId=user) for user in ("ada", "bob", "eve")]
    service.post("/api/v1/events/batch?ack=stored", {"events": events})
    assert "1 events" in erase_one("ada")
    assert service.stop() == 0
    assert "1 events" in erase_one("bob")
    service.start()
    found = service.get("/api/v1/analytics/metrics", timeRange="24h").json()["data"]
    assert [user["userId"] for user in found["topUsers"]] == ["eve"]
