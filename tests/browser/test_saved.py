"""Retention and questions with a name, in a real browser."""

import re
from itertools import dropwhile

from playwright.async_api import Page, expect

from tests.browser.looking import signed_in, with_code, written
from tests.running import RunningService

FUNNEL = 'view=funnel&timeRange=7d&tz=UTC&steps=["departed","arrived"]'
QUESTION = {
    "question": {
        "metrics": ["events"],
        "dimensions": ["userId"],
        "filters": [{"op": "is", "field": "eventType", "value": {"param": "type"}}],
        "range": "7d",
    },
    "parameters": {"type": {"type": "text"}},
}


async def save(page: Page, name: str) -> None:
    await page.click("#save")
    await page.fill("#question [name=name]", name)
    await page.click("#question button:has-text('Save')")
    await page.wait_for_url(re.compile(f"saved={name}"))


async def acts(page: Page, name: str, verb: str) -> None:
    await page.click(f"#saved-list tr:has-text('{name}') button:has-text('{verb}')")


def defined(service: RunningService, name: str) -> dict | None:
    """What is saved under a name, as its key reads it."""
    saved = service.get("/api/v1/analytics/saved").json()["data"]["saved"]
    return next((one["definition"] for one in saved if one["name"] == name), None)


async def test_retention_shows_the_shares_of_the_api(page, shown):
    query = "view=retention&timeRange=4w&tz=UTC&begin=departed&back=arrived&period=day"
    await signed_in(page, shown, query)
    body = {"start": {"event": "departed"}, "return": {"event": "arrived"}, "period": "day"}
    body |= {"kind": "recurring", "range": "4w", "tz": "UTC"}
    answer = shown.post("/api/v1/analytics/retention", body).json()["data"]
    cohorts = list(dropwhile(lambda cohort: cohort["users"] == 0, answer["cohorts"]))
    assert len(cohorts) > 1
    shares = [share for cohort in cohorts for share in cohort["shares"]]
    wanted = ["–" if share is None else f"{round(100 * share, 1):g} %" for share in shares]
    await expect(page.locator(".cohorts tbody tr:not(:first-child) .heat")).to_have_text(wanted)


async def test_retention_begins_with_the_most_frequent_event_and_its_form_asks_another(page, shown):
    await signed_in(page, shown, "view=retention&timeRange=7d&tz=UTC")
    await expect(page.locator(".cohorts")).to_be_visible()
    first = shown.get("/api/v1/analytics/metrics", timeRange="7d").json()["data"]["eventsByType"][0]
    assert await page.input_value("#retention-begin") == first["eventType"]
    await page.fill("#retention-begin", "no such event")
    await page.click("#retention-form button")
    await page.wait_for_url(re.compile("begin=no"))
    await expect(page.locator("#panel-retention .empty")).to_be_visible()


async def test_a_question_is_saved_opened_renamed_and_deleted(page, shown):
    await with_code(page, shown, FUNNEL)
    await expect(page.locator("#funnel-steps .figure")).to_have_count(2)
    figures = await page.locator("#funnel-steps .figure").all_inner_texts()
    await save(page, "flown")
    await expect(page.locator("#answer-bars .figure")).to_have_text(figures)
    assert defined(shown, "flown")["question"]["steps"] == [
        {"event": "departed"},
        {"event": "arrived"},
    ]
    await page.click("#answer-acts button:has-text('Open in its view')")
    await expect(page.locator("#funnel-steps .figure")).to_have_text(figures)
    await page.go_back()
    await acts(page, "flown", "Rename")
    await page.fill("#question [name=name]", "landed")
    await page.click("#question button:has-text('Rename')")
    await expect(page.locator("#title-answer")).to_have_text("landed")
    assert (defined(shown, "flown"), defined(shown, "landed")["kind"]) == (None, "funnel")
    await acts(page, "landed", "Delete")
    await page.click("#question button:has-text('Delete')")
    await expect(page.locator("#saved-list .empty")).to_be_visible()
    assert defined(shown, "landed") is None


async def test_a_name_that_is_taken_is_not_taken_again_unasked(page, shown):
    await with_code(page, shown, "timeRange=7d&tz=UTC")
    await save(page, "week")
    kept = defined(shown, "week")
    await page.click("[data-view='']")
    await page.click("[data-range='24h']")
    await page.click("#save")
    await page.fill("#question [name=name]", "week")
    await page.click("#question button:has-text('Save')")
    await expect(page.locator("#question-title")).to_contain_text("already")
    await page.click("#question button:has-text('Cancel')")
    assert defined(shown, "week") == kept


async def test_parameters_are_asked_for_and_a_link_carries_them(page, shown):
    await with_code(page, shown, "view=saved")
    put = "async ([name, body]) => { const { ask } = await import('/dashboard/service.js');"
    put += " await ask(`/api/v1/analytics/saved/${name}`, { method: 'PUT', body }); }"
    await page.evaluate(put, ["carriers", QUESTION])
    await page.goto("/?view=saved&saved=carriers")
    await page.fill("#answer-fields [name=type]", "cancelled")
    await page.click("#answer-parameters button")
    answer = shown.get("/api/v1/analytics/saved/carriers", type="cancelled").json()["data"]
    figures = [written(row["metrics"]["events"]) for row in answer["rows"]]
    await expect(page.locator("#answer-bars .figure")).to_have_text(figures)
    link = page.url
    await page.goto("/?view=keys")
    await page.goto(link)
    await expect(page.locator("#answer-bars .figure")).to_have_text(figures)
