"""The dashboard in a real browser: what it shows is what the API answers."""

import re
from datetime import UTC, datetime

from axe_playwright_python.async_playwright import Axe
from playwright.async_api import Page, expect

from tests.browser.looking import RANGE, XSS, metrics, signed_in, with_code, written

SCHEMES = ("light", "dark")
VIEWS = ("", "funnel", "retention", "saved", "pipelines", "uploads", "letters", "keys")
MAKE_ENVIRONMENT = """async () => {
  const { ask } = await import("/dashboard/service.js");
  return (await ask("/api/envs", { method: "POST", body: { name: "another" } })).id;
}"""


async def looking_at(page: Page, view: str) -> None:
    """A view, when it shows what there is."""
    await page.click(f"[data-view='{view}']")
    if view == "pipelines":
        await expect(page.locator("#panel-new-pipeline")).to_be_visible()
    await expect(page.locator("main > div:not([hidden])")).to_have_attribute("aria-busy", "false")


async def bars(page: Page, panel: str) -> dict[str, str]:
    lines = page.locator(f"#{panel} button")
    names = await lines.locator("span:nth-of-type(1)").all_inner_texts()
    return dict(zip(names, await lines.locator(".figure").all_inner_texts(), strict=True))


async def test_nobody_sees_a_figure_before_he_has_signed_in(page, shown):
    await page.goto("/")
    await expect(page.locator("#sign-in-dialog")).to_be_visible()
    assert await page.inner_text("#total-events") == "–"
    await page.fill("#with-key input", "evp_of-nobody")
    await page.click("#with-key button")
    await expect(page.locator("#sign-in-problem")).to_contain_text("key")
    await expect(page.locator("#types .empty")).to_be_visible()


async def test_the_figures_are_those_of_the_api(page, shown):
    await signed_in(page, shown)
    answer = metrics(shown)
    assert answer["totalEvents"] > 2000
    await expect(page.locator("#total-events")).to_have_text(written(answer["totalEvents"]))
    assert await page.inner_text("#total-users") == written(answer["uniqueUsers"])
    assert await page.inner_text("#total-sessions") == written(answer["uniqueSessions"])
    types = {t["eventType"]: written(t["count"]) for t in answer["eventsByType"]}
    assert await bars(page, "types") == types
    users = {u["userId"]: written(u["eventCount"]) for u in answer["topUsers"]}
    assert await bars(page, "users") == users


async def test_the_table_of_time_has_every_bucket(page, shown):
    await signed_in(page, shown)
    await page.click("#panel-time .bar button:has-text('Table')")
    figures = await page.locator("#panel-time .scroll td:nth-child(2)").all_inner_texts()
    assert figures == [written(b["count"]) for b in metrics(shown)["eventsOverTime"]]


async def test_a_click_on_a_bar_filters_and_the_chip_takes_it_away(page, shown):
    await signed_in(page, shown)
    await page.click("#types button:has-text('cancelled')")
    only = metrics(shown, eventType="cancelled")
    await expect(page.locator("#total-events")).to_have_text(written(only["totalEvents"]))
    assert "eventType=cancelled" in page.url
    await page.click("#filters button")
    await expect(page.locator("#total-events")).to_have_text(written(metrics(shown)["totalEvents"]))


async def test_a_link_is_a_view_and_going_back_undoes_a_step(page, shown):
    await signed_in(page, shown, f"{RANGE}&userId=UA")
    narrow = written(metrics(shown, userId="UA")["totalEvents"])
    await expect(page.locator("#total-events")).to_have_text(narrow)
    await page.keyboard.press("x")
    await expect(page.locator("#filters button")).to_have_count(0)
    await page.go_back()
    await expect(page.locator("#total-events")).to_have_text(narrow)


async def test_dragging_over_the_chart_looks_closer(page, shown):
    await signed_in(page, shown)
    over = await page.locator(".u-over").bounding_box()
    middle = over["y"] + over["height"] / 2
    await page.mouse.move(over["x"] + over["width"] * 0.25, middle)
    await page.mouse.down()
    await page.mouse.move(over["x"] + over["width"] * 0.5, middle, steps=5)
    await page.mouse.up()
    await page.wait_for_url(re.compile("start="))
    asked = re.search(r"start=([^&]+)&end=([^&]+)", page.url)
    answer = metrics(shown, **_between(asked))
    await expect(page.locator("#total-events")).to_have_text(written(answer["totalEvents"]))
    assert await page.input_value("#start") < await page.input_value("#end")


async def test_the_period_before_is_drawn_beside(page, shown):
    await signed_in(page, shown, "timeRange=24h&tz=UTC&compare=previous")
    await expect(page.locator("#total-events-change")).not_to_be_empty()
    await expect(page.locator(".legend li")).to_have_text(["events", "the period before"])


async def test_what_is_sent_is_seen_at_once_and_pushed(page, shown):
    await signed_in(page, shown, "timeRange=15m&tz=UTC")
    await expect(page.locator("#freshness")).to_contain_text("live")
    event = {"eventType": XSS, "userId": XSS, "sessionId": "s"}
    sent = shown.post("/api/v1/events", event | {"timestamp": datetime.now(UTC).isoformat()})
    assert sent.status_code == 202
    await expect(page.locator("#types button").first).to_contain_text(XSS)
    await expect(page.locator("#users button").first).to_contain_text(XSS)
    assert await page.evaluate("window.hit") is None
    assert await page.locator("main img").count() == 0


async def test_where_nothing_is_pushed_the_page_asks_again(page, shown):
    await page.add_init_script("window.EventSource = class { close() {} set onerror(f) { f(); } }")
    await signed_in(page, shown, "timeRange=15m&tz=UTC&eventType=polled")
    await expect(page.locator("#freshness")).to_contain_text("polling")
    event = {"eventType": "polled", "userId": "u", "sessionId": "s"}
    assert (
        shown.post(
            "/api/v1/events?ack=stored", event | {"timestamp": datetime.now(UTC).isoformat()}
        ).status_code
        == 202
    )
    await expect(page.locator("#total-events")).to_have_text("1", timeout=20_000)


async def test_files_hold_what_is_seen(page, shown):
    await signed_in(page, shown)
    async with page.expect_download() as waiting:
        await page.click("#panel-types .bar button:has-text('CSV')")
    lines = (await (await waiting.value).path()).read_text("utf-8").splitlines()
    first = metrics(shown)["eventsByType"][0]
    assert lines[:2] == [
        "type,events,percent",
        f"{first['eventType']},{first['count']},{first['percentage']:g}",
    ]
    await assert_picture(page, "time")
    await page.click("[data-view=retention]")
    await expect(page.locator("#panel-retention .heat").first).to_be_visible()
    await assert_picture(page, "retention")


async def assert_picture(page: Page, panel: str) -> None:
    async with page.expect_download() as waiting:
        await page.click(f"#panel-{panel} .bar button:has-text('PNG')")
    assert (await (await waiting.value).path()).read_bytes().startswith(b"\x89PNG")


async def test_no_cell_is_a_formula(page, shown):
    await signed_in(page, shown)
    script = "async (value) => (await import('/dashboard/files.js')).cell(value)"
    for text in ("=1+1", "+1", "-1", "@x", "\t=1", "\r=1"):
        assert (await page.evaluate(script, text)).lstrip('"').startswith("'")
    assert await page.evaluate(script, -1) == "-1"


async def test_everything_is_reached_with_the_keyboard_alone(page, shown):
    await signed_in(page, shown)
    for key, wanted in (("1", "timeRange=15m"), ("3", "timeRange=24h"), ("p", "compare=previous")):
        await page.keyboard.press(key)
        await page.wait_for_url(re.compile(wanted))
    await page.keyboard.press("?")
    await expect(page.locator("#help")).to_be_visible()
    await page.keyboard.press("Escape")
    await expect(page.locator("#help")).not_to_be_visible()


async def test_a_funnel_is_counted_and_its_address_is_a_link_to_it(page, shown):
    await signed_in(page, shown)
    await page.click("[data-view=funnel]")
    for at, step in enumerate(("departed", "arrived")):
        await page.locator("#step-list input").nth(at).fill(step)
    await page.click("#steps button:has-text('Count')")
    body = {"range": "7d", "window": "24h", "steps": [{"event": "departed"}, {"event": "arrived"}]}
    answer = shown.post("/api/v1/analytics/funnel", body).json()["data"]["rows"][0]["steps"]
    wanted = {f"{n}. {s['name']}": written(s["users"]) for n, s in enumerate(answer, 1)}
    await expect(page.locator("#funnel-steps .figure")).to_have_text(list(wanted.values()))
    await page.goto(page.url)
    await expect(page.locator("#funnel-steps .figure")).to_have_text(list(wanted.values()))


async def test_a_user_signs_in_with_a_code_and_makes_a_key_and_ends_it(page, shown):
    await with_code(page, shown, "view=keys")
    await page.fill("#new-key [name=name]", XSS)
    await page.click("#new-key button")
    key = await page.inner_text("#made-key code")
    assert shown.get("/api/v1/events/stats", key=key).status_code == 200
    await page.click("#key-list tr:has-text('onerror') button")
    await page.click("#question button:has-text('Revoke')")
    await expect(page.locator("#key-list tr:has-text('onerror')")).to_have_count(0)
    await page.click("#sign-out")
    await expect(page.locator("#sign-in-dialog")).to_be_visible()
    await expect(page.locator("#key-list")).to_be_empty()


async def test_another_environment_shows_nothing_of_the_one_before(page, shown):
    await with_code(page, shown, RANGE)
    total = written(metrics(shown)["totalEvents"])
    await expect(page.locator("#total-events")).to_have_text(total)
    made = await page.evaluate(MAKE_ENVIRONMENT)
    await page.goto(f"/?{RANGE}&env={made}")
    await expect(page.locator("#total-events")).to_have_text("0")
    await expect(page.locator("#types .empty")).to_be_visible()
    await page.select_option("#environment", label="default")
    await expect(page.locator("#total-events")).to_have_text(total)
    await page.click("[data-view=letters]")
    await page.select_option("#environment", label="another")
    await expect(page.locator("#total-events")).to_have_text("–")
    assert "arrived" not in await page.locator("main").inner_html()


async def test_nothing_stands_in_the_way_of_anybody(page, shown):
    await with_code(page, shown, RANGE)
    for scheme in SCHEMES:
        await page.emulate_media(color_scheme=scheme)
        for view in VIEWS:
            await looking_at(page, view)
            found = (await Axe().run(page)).response["violations"]
            assert [f"{view}: {v['id']}: {v['nodes'][0]['html']}" for v in found] == []


async def test_it_fits_a_phone(page, shown):
    await page.set_viewport_size({"width": 360, "height": 740})
    await with_code(page, shown, RANGE)
    for view in VIEWS:
        await looking_at(page, view)
        assert await page.evaluate("document.documentElement.scrollWidth") <= 360, view


async def test_a_refused_question_says_why(page, shown):
    await signed_in(page, shown, "timeRange=24h&tz=Mars/Olympus")
    await expect(page.locator("#problem")).to_contain_text("tz")


def _between(found: re.Match[str]) -> dict[str, str]:
    start, end = (text.replace("%3A", ":") for text in found.groups())
    return {"start": start, "end": end}
