"""Where one process answers and another writes, the one that writes erases who is to be erased."""

import pytest

from tests.cluster import Cluster, a_cluster
from tests.system.test_commands import wait_for
from tests.system.test_up import an_event


@pytest.fixture(scope="module")
def cluster(tmp_path_factory, postgres):
    with a_cluster(tmp_path_factory.mktemp("erasure"), postgres) as running:
        yield running


def test_a_writer_whose_turn_it_is_erases_who_another_process_was_asked_to(cluster: Cluster):
    cluster.writer().start()
    api = cluster.api(1, HEADRACE_CACHE_SECONDS="0").start()
    events = [an_event(f"{user}{n}", userId=user) for user in ("ada", "bob") for n in range(5)]
    api.post("/api/v1/events/batch?ack=stored", {"events": events})
    asked = api.delete("/api/v1/customers/ada")
    assert asked.status_code == 202, asked.text
    followed = asked.headers["location"]
    wait_for(lambda: api.get(followed).json()["data"]["state"] == "erased")
    assert api.get(followed).json()["data"]["events"] == 5
    found = api.get("/api/v1/analytics/metrics", timeRange="24h").json()["data"]
    assert [user["userId"] for user in found["topUsers"]] == ["bob"]
    assert "everything agrees" in api.headrace("verify").stdout
