"""A browser that looks at a running service with the recording's last flights in it."""

import shutil
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime, timedelta
from itertools import islice

import pytest
from playwright.async_api import Browser, Page, async_playwright

from service.recordings import recording
from tests.running import RunningService

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
FLIGHTS = 3000
_SAID = "Failed to load resource: the server responded with a status of "
_REFUSED = (f"{_SAID}4", f"{_SAID}503")
"""What the console says of an answer that refuses, or puts off: the page says it in the service's
words."""


def send_flights(service: RunningService) -> None:
    """The first flights of the recording, flown again so that the last one lands an hour ago."""
    records = [dict(r.fields) for r in islice(recording("flights-2013").records(), FLIGHTS)]
    times = [datetime.fromisoformat(str(record["timestamp"])) for record in records]
    shift = datetime.now(UTC) - timedelta(hours=1) - max(times)
    for record, at in zip(records, times, strict=True):
        record["timestamp"] = (at + shift).isoformat()
    for start in range(0, FLIGHTS, 1000):
        batch = {"events": records[start : start + 1000]}
        sent = service.post("/api/v1/events/batch?ack=stored", batch)
        assert sent.json()["data"]["accepted"] == len(batch["events"])


@pytest.fixture(scope="module")
def shown(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningService]:
    """A service whose metrics are not public, with flights of the last days."""
    service = RunningService(
        tmp_path_factory.mktemp("shown") / "data",
        HEADRACE_PUBLIC_METRICS="no",
        HEADRACE_ALLOW_PRIVATE_TARGETS="true",
    )
    try:
        send_flights(service.start())
        yield service
    finally:
        service.clean_up()


@pytest.fixture
async def browser() -> AsyncIterator[Browser]:
    if not CHROMIUM:
        pytest.skip("there is no chromium here, and `make test` could not install it")
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield browser
        await browser.close()


@pytest.fixture
async def page(browser: Browser, shown: RunningService) -> AsyncIterator[Page]:
    """A page of its own; whatever its console complains of fails the test."""
    context = await browser.new_context(base_url=shown.base_url, locale="en-GB")
    page = await context.new_page()
    complaints: list[str] = []
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("console", lambda said: complaints.append(said.text) if said.type == "error" else None)
    yield page
    assert [c for c in complaints if not c.startswith(_REFUSED)] == []
