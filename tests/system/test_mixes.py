"""`headrace up` with one part put elsewhere at a time: all the rest is embedded."""

import asyncio
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.chdb_server import url_of as url_of_clickhouse
from tests.running import RunningService
from tests.servers import a_broker, a_clickhouse, a_valkey, url_of_broker, url_of_valkey
from tests.system.test_up import an_event

Elsewhere = Callable[[str], dict[str, str]]


@pytest.fixture
def elsewhere(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Elsewhere]:
    """Starts the server that a variable names; the variable with its URL."""
    running: list[Any] = []

    def start(server: Any) -> Any:
        running.append(server)
        return server.__enter__()

    def of(variable: str) -> dict[str, str]:
        match variable:
            case "NATS_URL":
                return {variable: url_of_broker(start(a_broker()))}
            case "CLICKHOUSE_URL":
                return {variable: url_of_clickhouse(start(a_clickhouse()).port)}
            case "REDIS_URL":
                return {variable: url_of_valkey(start(a_valkey()))}
            case "POSTGRES_URL":
                postgres = request.getfixturevalue("postgres")
                return {variable: asyncio.run(postgres.new_database())}
        return {"CLICKHOUSE_URL": f"chdb://{tmp_path / 'chdb'}"}

    yield of
    for server in running:
        server.__exit__(None, None, None)


def counted(service: RunningService, receipt: str) -> int:
    answer = service.get("/api/v1/analytics/metrics", timeRange="1h", after=receipt)
    assert answer.status_code == 200, answer.text
    return answer.json()["data"]["totalEvents"]


@pytest.mark.parametrize(
    "variable", ["NATS_URL", "CLICKHOUSE_URL", "CLICKHOUSE_URL=chdb", "REDIS_URL", "POSTGRES_URL"]
)
def test_each_part_alone_may_be_elsewhere_and_counts_are_kept_over_a_kill(
    variable, elsewhere, new_service
):
    service = new_service(**elsewhere(variable)).start()
    for n in range(3):
        sent = service.post("/api/v1/events", an_event(f"e{n}")).json()["data"]
    assert counted(service, sent["receipt"]) == 3
    service.kill()
    service.start()
    sent = service.post("/api/v1/events", an_event("e0")).json()["data"]
    assert counted(service, sent["receipt"]) == 3
    assert "everything agrees" in service.headrace("verify").stdout
    assert service.stop() == 0
    assert service.headrace("migrate", "--check").returncode == 0
    assert "everything agrees" in service.headrace("verify").stdout
