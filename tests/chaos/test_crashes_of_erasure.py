"""Dying while somebody is erased leaves nothing half erased, and nothing counted wrong."""

import pytest

from service.crash import EXIT_CODE
from tests.system.test_commands import wait_for
from tests.system.test_up import an_event

DUCKDB = ("duckdb", ["after_begin", "after_step", "before_end"])
CLICKHOUSE = ("clickhouse", ["after_begin", *(f"after_step:{n}" for n in (1, 2, 4, 9, 12))])
EAGER = {"HEADRACE_ROLLUP_EVENTS": 10, "HEADRACE_CACHE_SECONDS": 0}
CASES = [(engine, point) for engine, points in (DUCKDB, CLICKHOUSE) for point in points]


def events(user: str) -> list[dict]:
    sessions = ["shared", user]
    return [
        {**an_event(f"{user}{n}"), "userId": user, "sessionId": sessions[n % 2]} for n in range(20)
    ]


def seen(service) -> dict[str, int]:
    found = service.get("/api/v1/analytics/metrics", timeRange="24h").json()["data"]
    return {user["userId"]: user["eventCount"] for user in found["topUsers"]}


def erasure(service) -> dict:
    [one] = service.get("/api/v1/erasures").json()["data"]["erasures"]
    return one


@pytest.mark.parametrize(("engine", "point"), CASES)
def test_an_erasure_that_a_crash_cuts_short_is_made_whole(engine, point, new_service, tmp_path):
    url = f"chdb://{tmp_path / 'clickhouse'}" if engine == "clickhouse" else ""
    service = new_service(CLICKHOUSE_URL=url, **EAGER)
    service.start(HEADRACE_CRASH_AT=f"erasure.{point}")
    for user in ("ada", "bob"):
        sent = service.post("/api/v1/events/batch?ack=stored", {"events": events(user)})
        assert sent.json()["data"]["stored"], sent.text
    service.delete("/api/v1/customers/ada")
    assert service.ended(within=40) == EXIT_CODE
    service.start()
    wait_for(lambda: erasure(service)["state"] == "erased")
    assert (erasure(service)["events"], seen(service)) == (20, {"bob": 20})
    assert "everything agrees" in service.headrace("verify").stdout
