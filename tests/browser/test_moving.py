"""Pipelines and uploads in a real browser: seen, started, followed, taken away."""

import re
from collections.abc import Iterator

import pytest
from playwright.async_api import Page, expect

from tests.browser.looking import XSS, with_code
from tests.delivery.api import Api, serving
from tests.running import RunningService

ROWS = b"id,name\n1,Ada\n2,Bob\n3,Cy\n"
MAKE_PIPELINE = """async ([name, xss]) => {
  const { ask } = await import("/dashboard/service.js");
  const team = await ask("/api/teams", { method: "POST", body: { name: `team of ${name}` } });
  const made = await ask("/api/pipelines", { method: "POST", body: {
    name, team_id: team.id, source_name: xss, source_type: "HTTP_SOURCE", source_config: {},
    target_name: "events", target_type: "WAREHOUSE_TARGET", target_config: {event_type: "order"},
  } });
  return made.id;
}"""


@pytest.fixture
def customers() -> Iterator[Api]:
    """An API that takes customers."""
    with serving(Api()) as api:
        yield api


async def pipeline_state(page: Page, state: str) -> None:
    await expect(page.locator("#pipeline-list .badge")).to_have_text(state, timeout=60_000)


async def test_a_pipeline_is_started_and_paused_and_its_log_is_read(page, shown: RunningService):
    await with_code(page, shown, "view=pipelines")
    await expect(page.locator("#pipeline-list .empty")).to_be_visible()
    await page.evaluate(MAKE_PIPELINE, ["orders", XSS])
    await page.reload()
    await pipeline_state(page, "draft")
    await expect(page.locator("#pipeline-list")).to_contain_text(XSS)
    assert await page.evaluate("window.hit") is None
    await page.get_by_role("button", name="Start orders").click()
    await pipeline_state(page, "live")
    await page.get_by_role("button", name="Log of orders").click()
    await page.wait_for_url(re.compile("pipeline="))
    await expect(page.locator("#log-lines li").first).to_be_visible(timeout=60_000)
    await expect(page.locator("#log-state")).to_have_text("live")
    await page.get_by_role("button", name="Pause orders").click()
    await pipeline_state(page, "paused")


async def test_a_file_is_delivered_and_its_report_taken_away(page, shown, customers):
    await with_code(page, shown, "view=uploads")
    file = {"name": f"{XSS}.csv", "mimeType": "text/csv", "buffer": ROWS}
    await page.set_input_files("#new-upload [name=file]", file)
    config = '{"crm": {"base_url": "%s", "endpoints": {"customers": "/customers"}}}'
    await page.fill("#new-upload textarea", config % customers.url)
    await page.click("#upload-send")
    line = page.locator("#upload-list tbody tr")
    await expect(line.locator(".badge")).to_have_text("done", timeout=60_000)
    await expect(line.locator("[data-head=Created]")).to_have_text("3")
    assert sorted(customers.created) == ["1", "2", "3"]
    async with page.expect_download() as waiting:
        await page.get_by_role("button", name="CSV report").click()
    assert (await (await waiting.value).path()).read_text("utf-8").count("created") >= 3
    await line.get_by_role("button", name="Delete").click()
    await page.click("#question button:has-text('Delete')")
    await expect(page.locator("#upload-list .empty")).to_be_visible()
    assert await page.evaluate("window.hit") is None
