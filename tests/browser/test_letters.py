"""Dead letters in a real browser: seen as text, mended, let go."""

import json
import re

import pytest
from playwright.async_api import expect

from tests.browser.looking import XSS, with_code
from tests.chaos.faults import publish_raw

EVENT = {
    "eventType": "mended",
    "userId": "u",
    "sessionId": "s",
    "timestamp": "2026-01-02T12:00:00Z",
}


@pytest.fixture
def letters(shown):
    """Two of them are there; one is an event without its user."""
    for body in (XSS, json.dumps({**EVENT, "userId": ""})):
        publish_raw(shown, body.encode())
    shown.wait_for_log("writer.dead_letter", times=2)


async def test_a_letter_is_text_and_is_mended_or_discarded(letters, page, shown):
    await with_code(page, shown, "view=letters")
    lines = page.locator("#letter-list tbody tr")
    await expect(lines).to_have_count(2)
    await expect(lines.first).to_contain_text(XSS)
    assert await page.evaluate("window.hit") is None
    await lines.nth(1).get_by_role("button", name="Mend").click()
    await page.click("#question button:has-text('Send')")
    await expect(page.locator("#question-form p")).to_contain_text("userId")
    await page.fill("#question textarea", json.dumps({"events": [EVENT]}))
    await page.click("#question button:has-text('Send')")
    await expect(lines).to_have_count(1)
    await page.get_by_role("button", name=re.compile("Discard")).click()
    await page.click("#question button:has-text('Discard')")
    await expect(page.locator("#letter-list .empty")).to_be_visible()
    asked = {"start": "2026-01-02", "end": "2026-01-03", "eventType": "mended"}
    assert shown.get("/api/v1/analytics/metrics", **asked).json()["data"]["totalEvents"] == 1
