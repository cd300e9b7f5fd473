"""Live answers of a running service, to many, over kills, revocations and its end."""

import asyncio
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import urlencode

import httpx2
import pytest

from tests.api.listening import Ear, listening
from tests.running import API_KEY, RunningService
from tests.system.test_signing_in import bearer, signed_in
from tests.system.test_up import an_event

PAGE = (Path(__file__).parents[2] / "docs" / "api-live.md").read_text("utf-8")
KEY = {"x_api_key": API_KEY}


def today() -> str:
    """A range with ends, which does not change by itself."""
    now = datetime.now(UTC)
    ends = {"start": now - timedelta(hours=1), "end": now + timedelta(hours=1)}
    return urlencode({name: moment.isoformat() for name, moment in ends.items()})


@asynccontextmanager
async def a_client(service: RunningService) -> AsyncIterator[httpx2.AsyncClient]:
    limits = httpx2.Limits(max_connections=None)
    async with httpx2.AsyncClient(base_url=service.base_url, timeout=60, limits=limits) as client:
        yield client


async def send(service: RunningService, event_id: str, **headers: str) -> None:
    sent = await asyncio.to_thread(
        service.post, "/api/v1/events", an_event(event_id, eventType=event_id), **headers
    )
    assert sent.status_code == 202


async def until(ear: Ear, total: int) -> str:
    """Read until this many events are counted; the id of that state."""
    while (told := await ear.next()).document["data"]["totalEvents"] < total:
        pass
    assert told.document["data"]["totalEvents"] == total
    return told.id


async def test_after_a_kill_a_listener_goes_on_where_it_was(new_service):
    service, query = new_service(HEADRACE_LIVE_HEARTBEAT=0.2).start(), today()
    async with a_client(service) as client:
        async with listening(client, query, **KEY) as ear:
            await send(service, "e1")
            had = await until(ear, 1)
            service.kill()
            with pytest.raises(httpx2.TransportError):
                await ear.rest()
        service.start()
        async with listening(client, query, last_event_id=had, **KEY) as ear:
            waiting = asyncio.create_task(ear.next())
            while ear.heartbeats < 3:
                await asyncio.sleep(0.05)
            assert not waiting.done()
            await send(service, "e2")
            assert (await waiting).document["data"]["totalEvents"] == 2
        async with listening(client, query, last_event_id=had, **KEY) as ear:
            await until(ear, 2)


async def test_what_one_tenant_sends_is_told_to_its_own_listeners_alone(new_service):
    service, tokens, keys = new_service(HEADRACE_LIVE_HEARTBEAT=0.2).start(), [], []
    for email in ("ada@example.com", "bob@example.com"):
        tokens.append(bearer(signed_in(service, email)))
        made = service.post("/api/auth/api-key", {"name": "k"}, **tokens[-1])
        keys.append({"x-api-key": made.json()["data"]["apiKey"]})
    async with (
        a_client(service) as client,
        listening(client, today(), **tokens[0]) as ada,
        listening(client, today(), **tokens[1]) as bob,
    ):
        await asyncio.gather(until(ada, 0), until(bob, 0))
        await send(service, "of-ada", **keys[0])
        await until(ada, 1)
        await send(service, "of-bob", **keys[1])
        assert (await bob.next()).document["data"]["eventsByType"] == [
            {"eventType": "of-bob", "count": 1, "percentage": 100.0}
        ]


@pytest.mark.parametrize("way", ["key", "session"])
async def test_a_right_that_ends_ends_the_stream(new_service, way: str):
    service = new_service().start()
    token = bearer(signed_in(service, "ada@example.com"))
    made = service.post("/api/auth/api-key", {"name": "k"}, **token).json()["data"]
    his = {"x-api-key": made["apiKey"]} if way == "key" else token
    async with (
        a_client(service) as client,
        listening(client, **his) as ear,
        listening(client, **KEY) as other,
    ):
        await asyncio.gather(ear.next(), other.next())
        end = ("DELETE", f"/api/auth/api-key/{made['keyId']}")
        method, path = end if way == "key" else ("POST", "/api/auth/logout")
        assert (await client.request(method, path, headers=token)).status_code == 200
        [last] = await asyncio.wait_for(ear.rest(), 20)
        await send(service, "e1")
        await until(other, 1)
    code = {"key": "INVALID_API_KEY", "session": "UNAUTHORIZED"}[way]
    assert (last.event, last.document["error"]["code"]) == ("error", code)


async def test_a_thousand_listen_to_one_process_and_are_told_in_good_order_of_its_end(new_service):
    service = new_service(PROMETHEUS_ENABLED="true").start()
    async with a_client(service) as client, AsyncExitStack() as open_streams:
        query = today()
        ways = [listening(client, query, **KEY) for _ in range(1000)]
        ears = [await open_streams.enter_async_context(way) for way in ways]
        await asyncio.gather(*(until(ear, 0) for ear in ears))
        await send(service, "e1")
        await asyncio.gather(*(until(ear, 1) for ear in ears))
        telemetry = (await client.get("/-/metrics")).text
        ending = asyncio.gather(*(ear.rest() for ear in ears))
        assert await asyncio.to_thread(service.stop) == 0
        assert await ending == [[]] * 1000
    assert "headrace_live_listeners 1000.0" in telemetry
    assert 'query_seconds_count{question="metrics"} 2.0' in telemetry


def example(language: str) -> str:
    """The first block of this language in the page."""
    found = re.search(rf"```{language}\n(.*?)```", PAGE, re.S)
    assert found
    return found[1]


@pytest.mark.parametrize(
    ("language", "command"),
    [("sh", ["sh", "-c"]), ("python", [sys.executable, "-c"])],
)
def test_the_examples_of_the_page_show_documents_as_they_come(
    running_service: RunningService, language: str, command: list[str]
):
    service = running_service
    shown = subprocess.Popen(
        [*command, example(language), service.base_url, API_KEY],
        env={"URL": service.base_url, "KEY": API_KEY, "PATH": "/usr/bin:/bin"},
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    assert shown.stdout
    try:
        wanted = "totalEvents" if language == "sh" else "T"
        assert any(wanted in line for line in shown.stdout)
        sent = service.post("/api/v1/events", an_event(f"live-{language}-{time.time_ns()}"))
        assert sent.status_code == 202
        assert any(wanted in line for line in shown.stdout)
    finally:
        os.killpg(shown.pid, signal.SIGKILL)
        shown.communicate()
