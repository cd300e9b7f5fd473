"""How somebody comes to look at the dashboard, and what the API says of the same."""

import re

from playwright.async_api import Page, expect

from tests.running import RunningService

RANGE = "timeRange=7d&tz=America/New_York"
XSS = '<img src=x onerror="window.hit=1">'


async def signed_in(page: Page, service: RunningService, query: str = RANGE) -> Page:
    """The page, as whoever holds the service's key."""
    await page.goto(f"/?{query}")
    await page.fill("#with-key input", service.api_key)
    await page.click("#with-key button")
    await expect(page.locator("main > div:not([hidden])")).to_have_attribute("aria-busy", "false")
    await expect(page.locator("#sign-in-dialog")).not_to_be_visible()
    return page


async def with_code(page: Page, service: RunningService, query: str) -> None:
    """The page, as the service's owner."""
    await page.goto(f"/?{query}")
    await page.fill("#with-code [name=email]", "ada@example.com")
    await page.click("#with-code button")
    await expect(page.locator("#code-field")).to_be_visible()
    letter = sorted((service.data_dir / "outbox").iterdir(), key=lambda p: p.stat().st_mtime)[-1]
    code = re.search(r"\b\d{6}\b", letter.read_text("utf-8"))[0]
    await page.fill("#with-code [name=code]", code)
    await page.click("#with-code button")
    await expect(page.locator("#sign-in-dialog")).not_to_be_visible()


def metrics(service: RunningService, **parameters: str) -> dict:
    asked = parameters | {"tz": "America/New_York"}
    if "start" not in asked:
        asked["timeRange"] = "7d"
    return service.get("/api/v1/analytics/metrics", **asked).json()["data"]


def written(number: float) -> str:
    return f"{number:,}"
