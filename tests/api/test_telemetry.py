"""`/-/metrics`: what is counted of every request, and what is measured when somebody asks."""

import re

import pytest

from service.api.faces import name_of
from tests.api.edge import KEY, Edge, an_event, running


async def scraped(edge: Edge) -> dict[str, float]:
    """Each sample of a scrape: its name with its labels, and its value."""
    text = (await edge.client.get("/-/metrics")).text
    samples = (line.rsplit(" ", 1) for line in text.splitlines() if not line.startswith("#"))
    return {name: float(value) for name, value in samples}


async def test_requests_are_counted_by_face_and_kind_of_answer():
    async with running(prometheus_enabled=True) as edge:
        before = await scraped(edge)
        await edge.send([an_event()])
        await edge.post(b"no json")
        await edge.client.get("/api/v1/events/receipts/none", headers=KEY)
        after = await scraped(edge)
    for status, times in (("2xx", 1), ("4xx", 2)):
        name = f'headrace_requests_total{{face="events",status="{status}"}}'
        assert after[name] - before[name] == times
    name = 'headrace_request_seconds_count{face="events"}'
    assert after[name] - before[name] == 3


async def test_parts_are_looked_at_when_somebody_asks():
    class Away:
        async def ping(self) -> None:
            raise ConnectionError("no route")

    async with running(prometheus_enabled=True, store=Away()) as edge:
        found = await scraped(edge)
    up = {name: v for name, v in found.items() if name.startswith("headrace_part_up")}
    parts = {re.findall(r'part="(\w+)"', name)[0]: v for name, v in up.items()}
    assert parts == {"store": 0, "stream": 1, "cache": 1, "control": 1}


@pytest.mark.parametrize(
    ("path", "face"),
    [
        ("/api/v1/events/batch", "events"),
        ("/api/v1/analytics/metrics", "questions"),
        ("/api/auth/jwt/login", "control"),
        ("/api/auth/verify", "accounts"),
        ("/v1/ingest/events", "thedata"),
        ("/v1/batch", "segment"),
        ("/capture", "posthog"),
        ("/apigw/ingest", "signed"),
        ("/api/ready", "operators"),
        ("/whatever/a/stranger/asks/for", "page"),
    ],
)
def test_a_face_is_one_of_few_names(path, face):
    assert name_of(path) == face
