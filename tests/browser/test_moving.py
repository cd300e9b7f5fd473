"""Pipelines and uploads in a real browser: seen, started, followed, taken away."""

import json
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


PRICED = [
    {"key": "user_id", "path": "$.who"},
    {"key": "price", "path": "$.price", "cast": "float", "nullable": False},
]
WATCH_PROGRESS = """() => {
  window.seen = [];
  const look = () => window.seen.push(document.querySelector("#upload-sent-about").textContent);
  const place = document.querySelector("#upload-progress");
  new MutationObserver(look).observe(place, { childList: true, subtree: true });
}"""


@pytest.fixture
def customers() -> Iterator[Api]:
    """An API that takes customers."""
    with serving(Api()) as api:
        yield api


async def pipeline_state(page: Page, state: str) -> None:
    await expect(page.locator("#pipeline-list .badge").first).to_have_text(state, timeout=60_000)


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


async def test_a_pipeline_is_made_in_the_page_and_what_it_refuses_is_fixed(page, shown):
    await with_code(page, shown, "view=pipelines")
    await page.fill("#new-pipeline [name=name]", "priced")
    await page.select_option("#new-pipeline [name=team_id]", label="a new one")
    await page.select_option("#new-pipeline [name=source_type]", "HTTP_SOURCE")
    await page.select_option("#new-pipeline [name=target_type]", "WAREHOUSE_TARGET")
    await page.fill("#target-settings [data-name=event_type]", "priced")
    await page.fill("#new-pipeline [name=mapper]", json.dumps(PRICED))
    await page.click("#new-pipeline button.primary")
    await page.wait_for_url(re.compile("pipeline="))
    await page.get_by_role("button", name="Start priced").click()
    state = page.locator("#pipeline-list tr", has_text="priced").locator(".badge")
    await expect(state).to_have_text("live", timeout=60_000)
    pipeline = re.search("pipeline=([^&]+)", page.url)[1]
    await push_and_fix(page, shown, pipeline)


async def push_and_fix(page: Page, shown: RunningService, pipeline: str) -> None:
    """A record that is refused is seen as text, and is an event once it is fixed."""
    record = {"who": XSS, "price": "much"}
    pushed = shown.post(f"/api/v1/pipelines/{pipeline}/records", [record])
    assert pushed.status_code == 202, pushed.text
    refused = page.locator("#pipeline-list tr", has_text="priced").locator("[data-head=Refused]")
    await expect(refused).to_have_text("1", timeout=60_000)
    await page.reload()
    await expect(page.locator("#refused-list tbody")).to_contain_text("<img src=x")
    await page.get_by_role("button", name="Fix").click()
    await page.fill("#question textarea", json.dumps({"who": XSS, "price": 2.5}))
    await page.click("#question button:has-text('Send')")
    await expect(page.locator("#refused-list .empty")).to_be_visible()
    await page.goto("/?timeRange=15m&eventType=priced")
    await expect(page.locator("#total-events")).to_have_text("1", timeout=60_000)
    assert await page.evaluate("window.hit") is None


async def test_settings_of_a_connector_are_asked_for_as_its_schema_has_them(page, shown):
    await with_code(page, shown, "view=pipelines")
    await page.select_option("#new-pipeline [name=source_type]", "KAFKA_SOURCE")
    fields = page.locator("#source-settings")
    await expect(fields.locator("[data-name=sasl_password]")).to_have_attribute("type", "password")
    assert await fields.locator("select[data-name=security_protocol] option").count() == 5
    await fields.locator("[data-name=bootstrap_servers]").fill("127.0.0.1:1")
    await page.click("#source-try")
    await expect(page.locator("#problem")).to_contain_text("topic")


async def test_a_file_is_delivered_and_its_report_taken_away(page, shown, customers):
    await with_code(page, shown, "view=uploads")
    file = {"name": f"{XSS}.csv", "mimeType": "text/csv", "buffer": ROWS}
    await page.set_input_files("#new-upload [name=file]", file)
    config = '{"crm": {"base_url": "%s", "endpoints": {"customers": "/customers"}}}'
    await page.fill("#new-upload textarea", config % customers.url)
    await page.evaluate(WATCH_PROGRESS)
    await page.click("#upload-send")
    line = page.locator("#upload-list tbody tr")
    await expect(line.locator(".badge")).to_have_text("done", timeout=60_000)
    await expect(line.locator("[data-head=Created]")).to_have_text("3")
    assert "All of it is sent; the service looks at it." in await page.evaluate("window.seen")
    await expect(page.locator("#upload-progress")).not_to_be_visible()
    assert sorted(customers.created) == ["1", "2", "3"]
    async with page.expect_download() as waiting:
        await page.get_by_role("button", name="CSV report").click()
    assert (await (await waiting.value).path()).read_text("utf-8").count("created") >= 3
    await line.get_by_role("button", name="Delete").click()
    await page.click("#question button:has-text('Delete')")
    await expect(page.locator("#upload-list .empty")).to_be_visible()
    assert await page.evaluate("window.hit") is None
