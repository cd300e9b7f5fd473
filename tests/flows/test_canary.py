"""The service's own events pass through a running service, and nobody's numbers have them."""

import pyarrow.parquet as pq
import pytest

from tests.running import RunningService
from tests.system.test_operators import wait_for


@pytest.fixture(scope="module")
def service(tmp_path_factory):
    made = RunningService(tmp_path_factory.mktemp("canary") / "data")
    try:
        yield made.start(HEADRACE_CANARY_SECONDS=0.1, PROMETHEUS_ENABLED="true")
    finally:
        made.clean_up()


def flown(service: RunningService) -> float:
    """How many came out."""
    lines = service.get("/-/metrics").text.splitlines()
    return sum(float(line.split()[1]) for line in lines if line.startswith(SERIES))


SERIES = "headrace_canary_seconds_count"


def test_they_come_out_and_their_age_is_part_of_readiness(service):
    wait_for(lambda: flown(service) > 3)
    ready = service.get("/api/ready")
    assert ready.status_code == 200
    assert ready.json()["ready"] is True
    assert ready.json()["canaryAge"] >= 0


def test_no_answer_counts_them(service):
    wait_for(lambda: flown(service) > 3)
    assert service.get("/api/v1/events/stats").json()["data"]["totalIngested"] == 0
    for minutes in ("15m", "24h"):
        found = service.get("/api/v1/analytics/metrics", timeRange=minutes).json()["data"]
        assert (found["totalEvents"], found["eventsByType"]) == (0, [])
    assert service.get("/api/v1/analytics/events/export").text == ""


def test_an_export_of_everything_leaves_them_out_and_verify_agrees(service, tmp_path):
    wait_for(lambda: flown(service) > 3)
    exported = service.headrace("export", "--to", str(tmp_path / "all.parquet"))
    assert exported.returncode == 0, exported.stderr
    assert pq.read_metadata(tmp_path / "all.parquet").num_rows == 0
    assert service.headrace("verify").returncode == 0
