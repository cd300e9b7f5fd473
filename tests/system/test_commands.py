"""The commands beside a running service, and on the folder of one that has ended."""

import json
import re
import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import duckdb
import httpx2
import pytest

from tests.documented import sign
from tests.running import RunningService
from tests.system.test_up import an_event


def a_recording(folder: Path, name: str, events: int) -> Path:
    path = folder / f"{name}.ndjson"
    path.write_text("".join(json.dumps(an_event(f"{name}-{n}")) + "\n" for n in range(events)))
    return path


def status_with(service: RunningService, key: str) -> int:
    return service.get("/api/v1/events/stats", key=key).status_code


def wait_for(said: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 10
    while not said():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_a_key_works_at_once_and_not_when_it_is_revoked(running_service):
    made = running_service.headrace("keys", "create", "--name", "short", "--scopes", "read")
    key = made.stdout.strip()
    assert re.fullmatch(r"evp_[\w-]{43}", key)
    assert status_with(running_service, key) == 200
    listed = running_service.headrace("keys", "list").stdout
    [number] = re.findall(r"(key_[0-9a-f]+).*short", listed)
    assert running_service.headrace("keys", "revoke", number).returncode == 0
    wait_for(lambda: status_with(running_service, key) == 401)


def test_a_key_made_to_sign_signs_what_the_running_service_takes(running_service):
    made = running_service.headrace("keys", "create", "--name", "signer", "--signs")
    key_id, secret = made.stdout.split()
    path = "/api/v1/events/stats"
    for status in (200, 200):
        headers = sign(key_id, secret, "GET", path)
        assert httpx2.get(running_service.base_url + path, headers=headers).status_code == status
    assert httpx2.get(running_service.base_url + path, headers=headers).status_code == 401


def test_a_recording_replayed_twice_counts_once(running_service, tmp_path):
    path = str(a_recording(tmp_path, "twice", 300))
    assert running_service.headrace("replay", path).returncode == 0
    again = running_service.headrace("replay", path, "--repeat", "2")
    assert again.returncode == 0, again.stdout + again.stderr
    assert running_service.headrace("verify").returncode == 0


def test_verify_agrees_beside_a_running_service_and_without_one(new_service, tmp_path):
    service = new_service(HEADRACE_ROLLUP_EVENTS=10).start()
    assert service.headrace("verify").returncode == 0
    service.headrace("replay", str(a_recording(tmp_path, "some", 300)))
    assert "everything agrees" in service.headrace("verify").stdout
    assert service.stop() == 0
    assert "everything agrees" in service.headrace("verify").stdout


@pytest.fixture(scope="module")
def left(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningService]:
    """A service that counted and rolled up 300 events and has ended."""
    folder = tmp_path_factory.mktemp("left")
    service = RunningService(folder / "data", HEADRACE_ROLLUP_EVENTS=10)
    try:
        service.start().headrace("replay", str(a_recording(folder, "some", 300)))
        assert service.headrace("verify").returncode == 0
        assert service.stop() == 0
        yield service
    finally:
        service.clean_up()


@pytest.mark.parametrize(
    "damage",
    [
        "DELETE FROM events WHERE event_id = 'some-7'",
        "INSERT INTO events SELECT * FROM events WHERE event_id = 'some-7'",
        "UPDATE events SET event_type = 'other' WHERE event_id = 'some-7'",
        "UPDATE events_by_minute SET events = events + 1",
    ],
)
def test_verify_finds_a_damaged_store(damage, left, tmp_path):
    folder = shutil.copytree(left.data_dir, tmp_path / "damaged")
    with duckdb.connect(str(folder / "events.duckdb")) as file:
        file.execute(damage)
    told = left.headrace("verify", HEADRACE_DATA_DIR=str(folder))
    assert told.returncode == 1, told.stdout
    assert "differ" in told.stdout


def test_settings_are_told_with_secrets_masked(running_service):
    told = running_service.headrace("settings").stdout
    assert f"API_PORT={running_service.port}" in told
    assert running_service.api_key not in told


def test_commands_that_need_a_running_service_say_so(new_service, tmp_path):
    service = new_service()
    told = service.headrace("replay", str(a_recording(tmp_path, "none", 1)))
    assert told.returncode == 1
    assert "start one with `headrace up`" in told.stderr
