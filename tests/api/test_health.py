"""The three probes."""

import asyncio

import pytest

from tests.api.edge import Edge, Pinged, running


class Away:
    async def ping(self) -> None:
        raise ConnectionError("no route")


class Counted:
    pings = 0

    async def ping(self) -> None:
        self.pings += 1


class Hanging:
    async def ping(self) -> None:
        await asyncio.sleep(3600)


async def test_health_names_every_dependency(edge: Edge):
    document = (await edge.client.get("/api/health")).json()
    assert document["status"] == "healthy"
    assert document["services"] == {
        name: {"status": "up"} for name in ("store", "stream", "cache", "control")
    }
    assert {"version", "uptime", "timestamp"} < set(document)


@pytest.mark.parametrize(
    ("part", "status", "health", "ready"),
    [
        ("store", 503, "unhealthy", 503),
        ("stream", 503, "unhealthy", 503),
        ("database", 200, "degraded", 200),
    ],
)
async def test_a_part_that_is_away_counts_as_much_as_it_matters(part, status, health, ready):
    async with running(**{part: Away()}) as edge:
        answer = await edge.client.get("/api/health")
        readiness = await edge.client.get("/api/ready")
    assert (answer.status_code, answer.json()["status"]) == (status, health)
    assert (readiness.status_code, readiness.json()["ready"]) == (ready, ready == 200)


async def test_it_is_not_ready_before_migrations_ran():
    async with running(ready=lambda: False) as edge:
        assert (await edge.client.get("/api/ready")).status_code == 503


async def test_a_part_that_hangs_is_down_and_the_answer_still_comes():
    async with running(store=Hanging()) as edge:
        document = (await edge.client.get("/api/health")).json()
    assert document["services"]["store"] == {"status": "down"}


async def test_live_touches_no_dependency():
    async with running(store=Counted()) as edge:
        assert (await edge.client.get("/api/live")).json() == {"live": True}
        assert edge.parts.store.pings == 0


async def test_polling_cannot_hammer_the_dependencies():
    async with running(store=Counted(), stream=Pinged()) as edge:
        await asyncio.gather(*(edge.client.get("/api/health") for _ in range(20)))
        assert edge.parts.store.pings == 1
