"""From a laptop's file to servers: what a team does that outgrows one machine."""

from collections.abc import Iterator
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from tests.chdb_server import url_of as url_of_clickhouse
from tests.running import RunningService
from tests.servers import a_broker, a_clickhouse, url_of_broker
from tests.system.test_up import an_event

MOVE = ("move", "--from", "duckdb", "--to", "clickhouse")
YEAR = {"start": "2020-01-01T00:00:00Z", "end": "2099-01-01T00:00:00Z"}

pytestmark = pytest.mark.timeout(240)


@pytest.fixture
def servers(tmp_path: Path) -> Iterator[dict[str, str]]:
    """A broker and a ClickHouse, empty."""
    with a_broker() as broker, a_clickhouse() as store:
        yield {"NATS_URL": url_of_broker(broker), "CLICKHOUSE_URL": url_of_clickhouse(store.port)}


def send(service: RunningService, prefix: str, count: int = 50) -> None:
    events = [an_event(f"{prefix}-{n}") for n in range(count)]
    answer = service.post("/api/v1/events/batch?ack=stored", {"events": events})
    assert answer.status_code == 202, answer.text


def counted(service: RunningService) -> int:
    answer = service.get("/api/v1/analytics/metrics", **YEAR)
    total: int = answer.json()["data"]["totalEvents"]
    return total


def test_a_service_moves_to_clickhouse_and_stands_still_for_a_moment_only(new_service, servers):
    before = new_service(NATS_URL=servers["NATS_URL"]).start()
    send(before, "early")
    moved = before.headrace(*MOVE, **servers)
    assert moved.stdout.split()[-3:] == ["50", "0", "50"], moved.stdout + moved.stderr
    send(before, "meanwhile")
    assert before.stop() == 0
    again = before.headrace(*MOVE, **servers)
    assert again.stdout.split()[-3:] == ["50", "50", "100"], again.stdout + again.stderr
    before.start(**servers)
    send(before, "late")
    send(before, "early")
    assert counted(before) == 150
    assert list(before.logged("writer.new_epoch")) == []
    assert before.headrace("verify", **servers).returncode == 0


def test_a_file_of_the_laptop_comes_into_a_service_that_has_events_of_its_own(
    new_service, servers, tmp_path
):
    laptop = new_service().start()
    send(laptop, "laptop")
    send(laptop, "both", 10)
    assert laptop.stop() == 0
    file = str(tmp_path / "laptop.parquet")
    assert laptop.headrace("export", "--to", file).returncode == 0
    team = new_service(**servers).start()
    send(team, "both", 10)
    brought = team.headrace("import", file)
    assert brought.stdout.split()[-3:] == ["60", "50", "10"], brought.stdout + brought.stderr
    assert counted(team) == 60
    back = str(tmp_path / "back.parquet")
    assert team.headrace("export", "--to", back).returncode == 0
    assert pq.read_metadata(back).num_rows == 60


def test_a_move_waits_for_no_worker_and_disturbs_none(new_service, servers):
    laptop = new_service().start()
    send(laptop, "laptop")
    assert laptop.stop() == 0
    team = new_service(**servers).start()
    refused = laptop.headrace(*MOVE, **servers)
    assert refused.returncode == 1
    assert "a worker writes to this ClickHouse; stop it first" in refused.stderr
    send(team, "team")
    assert counted(team) == 50
