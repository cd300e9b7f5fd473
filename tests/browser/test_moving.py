"""Pipelines in a real browser: seen, started, paused."""

from playwright.async_api import Page, expect

from tests.browser.looking import XSS, with_code
from tests.running import RunningService

MAKE_PIPELINE = """async ([name, xss]) => {
  const { ask } = await import("/dashboard/service.js");
  const team = await ask("/api/teams", { method: "POST", body: { name: `team of ${name}` } });
  const made = await ask("/api/pipelines", { method: "POST", body: {
    name, team_id: team.id, source_name: xss, source_type: "HTTP_SOURCE", source_config: {},
    target_name: "events", target_type: "WAREHOUSE_TARGET", target_config: {event_type: "order"},
  } });
  return made.id;
}"""


async def pipeline_state(page: Page, state: str) -> None:
    await expect(page.locator("#pipeline-list .badge")).to_have_text(state, timeout=60_000)


async def test_a_pipeline_is_started_and_paused(page, shown: RunningService):
    await with_code(page, shown, "view=pipelines")
    await expect(page.locator("#pipeline-list .empty")).to_be_visible()
    await page.evaluate(MAKE_PIPELINE, ["orders", XSS])
    await page.reload()
    await pipeline_state(page, "draft")
    await expect(page.locator("#pipeline-list")).to_contain_text(XSS)
    assert await page.evaluate("window.hit") is None
    await page.get_by_role("button", name="Start orders").click()
    await pipeline_state(page, "live")
    await page.get_by_role("button", name="Pause orders").click()
    await pipeline_state(page, "paused")
