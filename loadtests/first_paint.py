"""How soon the dashboard shows figures. Not a part of the bench; for docs/dashboard.md.

    python -m loadtests.first_paint URL [KEY]

Opens the page of a running service again and again, each time in a browser that knows nothing of it
yet, and prints the milliseconds from the navigation to the frame with the first figures in it.
"""

import asyncio
import json
import shutil
import statistics
import sys

from playwright.async_api import Browser, async_playwright

ROUNDS = 9
_RANGES = ("15m", "24h", "7d")
_CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
_WATCH = """
new MutationObserver((_, watching) => {
  if (document.querySelector("#overview")?.getAttribute("aria-busy") !== "false") return;
  watching.disconnect();
  const seen = () => (document.documentElement.dataset.figuresAt = performance.now());
  requestAnimationFrame(() => setTimeout(seen));
}).observe(document, { subtree: true, childList: true, attributes: true });
"""


async def first_figures(browser: Browser, url: str, key: str, timerange: str) -> float:
    """Milliseconds until figures are seen, in a new browser without a cache."""
    context = await browser.new_context()
    page = await context.new_page()
    if key:
        kept = json.dumps(json.dumps({"kind": "key", "value": key}))
        await page.add_init_script(f"sessionStorage.setItem('headrace.credential', {kept})")
    await page.add_init_script(_WATCH)
    await page.goto(f"{url}/?timeRange={timerange}")
    found = await page.locator("html[data-figures-at]").get_attribute("data-figures-at")
    await context.close()
    return float(found or "nan")


async def main(url: str, key: str = "") -> None:
    """Print the median and the worst of some rounds, for each range."""
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=_CHROMIUM, args=["--no-sandbox"])
        for timerange in _RANGES:
            times = [await first_figures(browser, url, key, timerange) for _ in range(ROUNDS)]
            print(f"{timerange}: {statistics.median(times):.0f} ms, worst {max(times):.0f} ms")
        await browser.close()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
