"""A backup made under load holds every event acknowledged before it, once."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx2
import msgspec
import pytest

from service.moving.backup.manifest import NAME
from tests.running import RunningService
from tests.system.test_up import an_event, stored

pytestmark = [pytest.mark.chaos, pytest.mark.timeout(300)]


class Load:
    """Sends batches from two threads, and knows which events were acknowledged."""

    def __init__(self, service: RunningService) -> None:
        self.acknowledged: list[str] = []
        self.sent: set[str] = set()
        self._service = service
        self._enough = threading.Event()

    def send(self, name: str) -> None:
        ids = [f"{name}-{n}" for n in range(20)]
        self.sent.update(ids)
        try:
            document = {"events": [an_event(event_id) for event_id in ids]}
            if self._service.post("/api/v1/events/batch", document).status_code == 202:
                self.acknowledged += ids
        except httpx2.HTTPError:
            pass

    def _go_on(self, thread: int) -> None:
        number = 0
        while not self._enough.wait(0.01):
            self.send(f"t{thread}-{number}")
            number += 1

    @contextmanager
    def going_on(self) -> Iterator[None]:
        threads = [threading.Thread(target=self._go_on, args=(n,)) for n in range(2)]
        for thread in threads:
            thread.start()
        try:
            yield
        finally:
            self._enough.set()
            for thread in threads:
                thread.join()


def restored(new_service, backup: Path) -> RunningService:
    service = new_service()
    done = service.headrace("restore", str(backup))
    assert done.returncode == 0, done.stderr
    return service


def test_a_backup_under_load_loses_and_doubles_nothing_after_a_kill(new_service, tmp_path):
    service, backup = new_service().start(), tmp_path / "backup"
    load = Load(service)
    with load.going_on():
        load.send("first")
        before = list(load.acknowledged)
        done = service.headrace("backup", str(backup))
        assert done.returncode == 0, done.stderr
        load.send("after")
    service.kill()
    other = restored(new_service, backup).start()
    again = [an_event(event_id) for event_id in before[:20]]
    answer = other.post("/api/v1/events/batch?ack=stored", {"events": [*again, an_event("new")]})
    assert answer.status_code == 202
    assert other.headrace("verify").returncode == 0
    assert not list(other.logged("writer.new_epoch"))
    assert other.stop() == 0
    found = stored(other)
    assert len(found) == len(set(found))
    assert set(before) | {"new"} <= set(found) <= load.sent | {"new"}


def test_streams_that_were_copied_before_the_store_are_found_out(new_service, tmp_path):
    service, early, late = new_service().start(), tmp_path / "early", tmp_path / "late"
    send_and_back_up(service, early, "one")
    send_and_back_up(service, late, "two")
    service.kill()
    put_in_the_wrong_order(late, early)
    other = restored(new_service, late).start()
    answer = other.post("/api/v1/events/batch?ack=stored", {"events": [an_event("three")]})
    assert answer.status_code == 202
    assert list(other.logged("writer.new_epoch"))


def send_and_back_up(service: RunningService, backup: Path, event_id: str) -> None:
    sent = {"events": [an_event(event_id)]}
    assert service.post("/api/v1/events/batch?ack=stored", sent).status_code == 202
    done = service.headrace("backup", str(backup))
    assert done.returncode == 0, done.stderr
    assert_copied_in_order(backup)


def assert_copied_in_order(backup: Path) -> None:
    """What points was copied before what it points to."""
    names = ("control.sqlite", "events.duckdb", "HEADRACE_EVENTS.stream")
    written = [(backup / name).stat().st_mtime_ns for name in names]
    assert written == sorted(written)
    others = [path.stat().st_mtime_ns for path in backup.glob("*.stream")]
    assert written[1] <= min(others) <= max(others) == written[2]


def put_in_the_wrong_order(backup: Path, earlier: Path) -> None:
    """Make it one whose streams are older than its store."""
    late, early = (msgspec.json.decode((made / NAME).read_bytes()) for made in (backup, earlier))
    late["streams"] = early["streams"]
    for stream in earlier.glob("*.stream"):
        late["files"][stream.name] = early["files"][stream.name]
        (backup / stream.name).write_bytes(stream.read_bytes())
    (backup / NAME).write_bytes(msgspec.json.encode(late))


def test_without_a_service_keys_come_back_too_and_what_is_damaged_never(new_service, tmp_path):
    service, backup = new_service().start(), tmp_path / "backup"
    service.post("/api/v1/events/batch?ack=stored", {"events": [an_event("one")]})
    key = service.headrace("keys", "create", "--name", "kept").stdout.strip()
    assert service.stop() == 0
    assert service.headrace("backup", str(backup)).returncode == 0
    second = service.headrace("backup", str(backup))
    assert (second.returncode, "is there already" in second.stderr) == (1, True)
    for damaged in ("events.duckdb", "HEADRACE_EVENTS.stream"):
        assert refuses_damaged(new_service, backup, damaged)
    other = restored(new_service, backup).start()
    assert other.get("/api/v1/events/stats", key=key).json()["data"]["totalIngested"] == 1
    refused = other.headrace("restore", str(backup))
    assert (refused.returncode, "is not overwritten" in refused.stderr) == (1, True)


def refuses_damaged(new_service, backup: Path, name: str) -> bool:
    whole = (backup / name).read_bytes()
    (backup / name).write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
    service = new_service()
    refused = service.headrace("restore", str(backup))
    (backup / name).write_bytes(whole)
    return f"{name} is damaged" in refused.stderr and not service.data_dir.exists()


def test_parts_that_are_servers_are_refused_with_advice(running_service, tmp_path):
    refused = running_service.headrace("backup", str(tmp_path), NATS_URL="nats://there:4222")
    assert (refused.returncode, "NATS_URL is set" in refused.stderr) == (2, True)
