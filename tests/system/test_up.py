"""`headrace up` as its user meets it."""

import json
import os
import signal
import socket
import time
from datetime import UTC, datetime

import duckdb
import httpx2
import pytest

from tests.certificates import write_certificate
from tests.running import RunningService, free_port


def an_event(event_id: str, **fields: str) -> dict[str, str]:
    usual = {"eventType": "click", "userId": "ada", "sessionId": "s1"}
    return usual | {"eventId": event_id, "timestamp": datetime.now(UTC).isoformat()} | fields


def stored(service: RunningService) -> list[str]:
    """The ids in the file that a service left."""
    with duckdb.connect(str(service.data_dir / "events.duckdb"), read_only=True) as file:
        return [row[0] for row in file.execute("SELECT event_id FROM events").fetchall()]


def test_up_speaks_tls_and_its_own_commands_trust_it(new_service, tmp_path):
    chain, key = write_certificate(tmp_path)
    service = new_service(HEADRACE_TLS_CERT=chain, HEADRACE_TLS_KEY=key)
    service.launch()
    deadline = time.monotonic() + 60
    while service.headrace("health").returncode and time.monotonic() < deadline:
        time.sleep(0.1)
    assert service.headrace("verify").returncode == 0
    assert service.headrace("health").stdout.startswith("https://127.0.0.1:")
    with pytest.raises(httpx2.HTTPError):
        service.get("/api/live")


def test_a_second_one_on_the_same_folder_is_refused_in_one_line(running_service):
    second = running_service.headrace("up", API_PORT=str(free_port()))
    assert second.returncode == 1
    assert "in use by another headrace" in second.stderr
    assert running_service.get("/api/ready").status_code == 200


def test_a_taken_port_is_told_at_once_and_nothing_is_made(running_service, tmp_path):
    folder = tmp_path / "other"
    second = running_service.headrace("up", HEADRACE_DATA_DIR=str(folder))
    assert second.returncode == 2
    assert f"cannot listen on 127.0.0.1:{running_service.port}" in second.stderr
    assert not folder.exists()


@pytest.mark.parametrize(
    ("variable", "value"),
    [("HEADRACE_DEDUP_IDS", "5"), ("API_PORT", "http"), ("HEADRACE_ENV", "production")],
)
def test_a_wrong_setting_is_refused_in_one_line(variable, value, running_service):
    ended = running_service.headrace("up", **{variable: value})
    assert ended.returncode == 2
    assert ended.stderr.count("\n") == 1
    assert variable in ended.stderr


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_told_to_end_it_stores_what_it_acknowledged_and_says_little(number, new_service):
    service = new_service(HEADRACE_GROUP_SECONDS=5).start()
    assert service.post("/api/v1/events", an_event("last")).status_code == 202
    service.signal(number)
    assert service.ended(within=40) == 0
    assert stored(service) == ["last"]
    said = [json.loads(line)["event"] for line in service.log.read_text().splitlines()]
    assert said == ["service.up", "service.ended"]


def test_killed_it_leaves_no_broker_behind_and_starts_again(new_service):
    service = new_service().start()
    broker = service.broker_pid
    service.kill()
    wait_until_gone(broker)
    service.start()
    assert service.post("/api/v1/events", an_event("after")).status_code == 202
    assert service.stop() == 0


def wait_until_gone(pid: int) -> None:
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return
        time.sleep(0.02)
    raise AssertionError(f"process {pid} lives on")


def test_what_it_keeps_is_for_its_owner_alone(running_service):
    secrets = ["run.json", "secret_key", "stream/password", "stream/nats.conf"]
    modes = {name: (running_service.data_dir / name).stat().st_mode & 0o077 for name in secrets}
    assert modes == dict.fromkeys(secrets, 0)


def test_it_listens_on_loopback_alone(running_service):
    port = (running_service.data_dir / "stream" / "port").read_text()
    for number in (running_service.port, int(port)):
        with socket.socket() as probe:
            probe.bind(("127.0.0.2", number))


def test_its_log_holds_no_secret(new_service):
    service = new_service().start()
    service.get("/api/v1/events/stats")
    assert service.stop() == 0
    log = service.log.read_text()
    password = (service.data_dir / "stream" / "password").read_text()
    assert service.api_key not in log
    assert password not in log
