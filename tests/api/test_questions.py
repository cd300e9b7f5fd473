"""Questions at the edge: one computation for many callers, 304, age, `?after=`, receipts."""

import asyncio

import pytest

from service.errors import AnalyticsUnavailable, QuestionTooBig
from service.query.share import Computed
from service.storage.protocol import Progress
from tests.api.edge import KEY, TENANT, Edge, running
from tests.api.edge import Questions as AskedQuestions

METRICS = "/api/v1/analytics/metrics"


async def test_the_document_comes_with_its_age(edge: Edge):
    first, second = [(await edge.client.get(METRICS)).json() for _ in range(2)]
    assert first["success"] is True
    assert first["data"] == {
        "totalEvents": 1,
        "asOf": "2023-11-14T22:13:20.000Z",
        "cached": False,
        "ageMs": first["data"]["ageMs"],
        "source": "",
        "rowsRead": 300,
        "bytesRead": None,
        "elapsedMs": first["data"]["elapsedMs"],
    }
    assert second["data"]["cached"] is True


async def test_the_answer_says_how_long_it_may_be_kept_and_by_whom(edge: Edge):
    headers = (await edge.client.get(METRICS)).headers
    assert headers["cache-control"] == "private, max-age=10"
    assert headers["age"] == "0"
    assert headers["vary"] == "x-api-key, authorization, x-env-id, accept"


async def test_a_computed_answer_says_how_long_the_store_took_and_a_cached_one_does_not(edge: Edge):
    first, second = [(await edge.client.get(METRICS)).headers for _ in range(2)]
    assert first["server-timing"] == "store;dur=0.0"
    assert "server-timing" not in second


@pytest.mark.parametrize("form", ["{0}", '"other", {0}', "*", "{1}"])
async def test_who_has_the_answer_already_gets_304_with_the_same_headers(edge: Edge, form: str):
    full = await edge.client.get(METRICS)
    tag = full.headers["etag"]
    sent = {"if-none-match": form.format(tag, tag.removeprefix("W/"))}
    answer = await edge.client.get(METRICS, headers=sent)
    assert (answer.status_code, answer.content) == (304, b"")
    for name in ("etag", "cache-control", "vary", "age"):
        assert answer.headers[name] == full.headers[name]


@pytest.mark.parametrize("sent", ['"other"', 'W/"other", "more"', ""])
async def test_who_has_another_answer_gets_this_one(edge: Edge, sent: str):
    answer = await edge.client.get(METRICS, headers={"if-none-match": sent})
    assert answer.status_code == 200


async def test_the_etag_changes_with_the_document(edge: Edge):
    tag = (await edge.client.get(METRICS)).headers["etag"]
    edge.parts.questions.document = b'{"totalEvents":2}'
    edge.parts.questions.cache = type(edge.parts.questions.cache)(10)
    assert (await edge.client.get(METRICS)).headers["etag"] != tag


async def test_pollers_of_one_question_cost_one_computation(edge: Edge):
    await asyncio.gather(*(edge.client.get(METRICS) for _ in range(50)))
    assert edge.parts.questions.computed == 1


async def test_after_waits_until_the_receipts_events_are_counted(edge: Edge):
    receipt = edge.parts.receipts.issue(TENANT, 1, 0, 1)
    asking = asyncio.create_task(edge.client.get(METRICS, params={"after": receipt}))
    await asyncio.sleep(0.05)
    assert not asking.done()
    edge.parts.mark.advance(Progress(sequence=1))
    assert (await asking).status_code == 200


async def test_after_gives_up_with_503_when_they_are_not_counted_in_time(edge: Edge):
    receipt = edge.parts.receipts.issue(TENANT, 1, 0, 1)
    answer = await edge.client.get(METRICS, params={"after": receipt})
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "1")
    assert answer.json()["error"]["code"] == "NOT_COUNTED_YET"


async def test_after_does_not_take_the_receipt_of_another_tenant(edge: Edge):
    receipt = edge.parts.receipts.issue("env_other", 1, 0, 1)
    answer = await edge.client.get(METRICS, params={"after": receipt})
    assert answer.json()["error"]["code"] == "NOT_FOUND"


async def test_a_receipt_is_queued_and_then_queryable(edge: Edge):
    receipt = edge.parts.receipts.issue(TENANT, 1, 0, 3)
    reports = []
    for sequence in (0, 1):
        edge.parts.mark.advance(Progress(sequence=sequence))
        answer = await edge.client.get(f"/api/v1/receipts/{receipt}", headers=KEY)
        reports.append(answer.json()["data"])
    assert reports == [
        {"state": "queued", "accepted": 3, "stored": 0, "duplicates": 0},
        {"state": "queryable", "accepted": 3, "stored": 3, "duplicates": 0},
    ]


@pytest.mark.parametrize("query", ["timeRange=1h&timeRange=24h", "nonsense=1", "timeRange=%ff"])
async def test_what_is_unclear_in_a_question_is_400(edge: Edge, query: str):
    answer = await edge.client.get(f"{METRICS}?{query}")
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "VALIDATION_ERROR")


@pytest.mark.parametrize("error", [AnalyticsUnavailable("away"), QuestionTooBig("too long")])
async def test_a_store_that_cannot_answer_is_503_and_tried_again(error: Exception):
    async with running(questions=AskedQuestions(error=error)) as edge:
        answer = await edge.client.get(METRICS)
        edge.parts.questions.error = None
        again = await edge.client.get(METRICS)
    assert (answer.status_code, answer.json()["error"]["code"]) == (503, error.code)
    assert "retry-after" in answer.headers
    assert again.status_code == 200


class Endless(AskedQuestions):
    """Computes until it is told to stop."""

    def __init__(self) -> None:
        super().__init__()
        self.begun, self.ended = asyncio.Event(), asyncio.Event()

    async def _compute(self) -> Computed:
        self.begun.set()
        try:
            return await asyncio.Event().wait()
        finally:
            self.ended.set()


async def test_a_computation_ends_when_who_asked_for_it_hangs_up():
    async with running(questions=Endless()) as edge, asyncio.timeout(20):
        caller = asyncio.create_task(edge.client.get(METRICS))
        await edge.parts.questions.begun.wait()
        caller.cancel()
        await edge.parts.questions.ended.wait()


async def test_stats_come_in_the_envelope(edge: Edge):
    answer = await edge.client.get("/api/v1/events/stats", headers=KEY)
    assert answer.json()["data"]["totalIngested"] == 7
