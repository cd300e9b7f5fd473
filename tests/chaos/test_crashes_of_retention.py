"""Dying while it deletes what has expired leaves nothing half deleted for longer than a restart."""

from datetime import UTC, datetime, timedelta

import pytest

from service.crash import EXIT_CODE
from tests.system.test_commands import wait_for
from tests.system.test_up import an_event

DUCKDB = ("duckdb", ["before_delete", "after_delete"])
CLICKHOUSE = ("clickhouse", ["before_delete", *(f"after_delete:{n}" for n in (1, 2, 4, 5))])
EAGER = {"HEADRACE_ROLLUP_EVENTS": 10, "HEADRACE_CACHE_SECONDS": 0}
CASES = [(engine, point) for engine, points in (DUCKDB, CLICKHOUSE) for point in points]


def events(days_ago: float, number: int) -> list[dict]:
    moment = (datetime.now(UTC) - timedelta(days=days_ago)).isoformat()
    sessions = [f"s{n % 3}" for n in range(number)]
    return [
        {**an_event(f"e{days_ago}-{n}"), "timestamp": moment, "sessionId": session}
        for n, session in enumerate(sessions)
    ]


def counted(service) -> int:
    start, end = (datetime.now(UTC) + timedelta(days=d) for d in (-30, 1))
    asked = {"start": start.isoformat(), "end": end.isoformat(), "interval": "1d"}
    return service.get("/api/v1/analytics/metrics", **asked).json()["data"]["totalEvents"]


@pytest.mark.parametrize(("engine", "point"), CASES)
def test_a_deletion_that_a_crash_cuts_short_is_made_whole(engine, point, new_service, tmp_path):
    url = f"chdb://{tmp_path / 'clickhouse'}" if engine == "clickhouse" else ""
    service = new_service(CLICKHOUSE_URL=url, **EAGER).start()
    for days_ago in (9, 5, 0.001):
        sent = service.post("/api/v1/events/batch?ack=stored", {"events": events(days_ago, 20)})
        assert sent.json()["data"]["stored"], sent.text
    service.headrace("envs", "retention", "env_default", "--days", "3")
    assert service.stop() == 0
    service.launch(HEADRACE_CRASH_AT=f"retention.{point}")
    assert service.ended(within=40) == EXIT_CODE
    service.start()
    wait_for(lambda: counted(service) == 20)
    assert "everything agrees" in service.headrace("verify").stdout
