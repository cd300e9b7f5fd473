"""Where one process answers and another writes, the one that writes deletes what has expired."""

from datetime import UTC, datetime, timedelta

import pytest

from tests.cluster import Cluster, a_cluster
from tests.system.test_commands import wait_for
from tests.system.test_up import an_event


@pytest.fixture(scope="module")
def cluster(tmp_path_factory, postgres):
    with a_cluster(tmp_path_factory.mktemp("retention"), postgres) as running:
        yield running


def at(days_ago: float) -> str:
    return (datetime.now(UTC) - timedelta(days=days_ago)).isoformat()


def test_a_writer_whose_turn_it_is_deletes_what_an_environment_no_longer_keeps(cluster: Cluster):
    writer, api = cluster.writer().start(), cluster.api(1, HEADRACE_CACHE_SECONDS="0").start()
    events = [an_event(f"e{n}", timestamp=at(n / 2)) for n in range(20, -1, -1)]
    receipt = api.post("/api/v1/events/batch", {"events": events}).json()["data"]["receipt"]

    def counted(**after: str) -> int:
        asked = {"start": at(30), "end": at(-1), "interval": "1d", **after}
        return api.get("/api/v1/analytics/metrics", **asked).json()["data"]["totalEvents"]

    assert counted(after=receipt) == 21
    told = api.headrace("envs", "retention", "env_default", "--days", "3")
    assert told.returncode == 0, told.stderr
    assert writer.stop() == 0
    writer.start()  # it looks when its turn begins, and once a minute
    today = datetime.now(UTC).date()
    kept = sum(
        datetime.fromisoformat(e["timestamp"]).date() >= today - timedelta(3) for e in events
    )
    wait_for(lambda: counted() == kept)
    assert "everything agrees" in api.headrace("verify").stdout
