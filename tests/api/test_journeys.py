"""Questions about journeys at the edge: their answers, their refusals, the cache before them."""

from typing import Any

import httpx2
import pytest

from service.errors import AnalyticsUnavailable, QuestionTooBig
from service.query.journeys.kinds import KINDS
from tests.api.edge import KEY, Edge, running
from tests.api.edge import Questions as AskedQuestions
from tests.unit.test_journeys_reading import LEAST


async def ask(edge: Edge, kind: str, asked: Any = None, **headers: str) -> httpx2.Response:
    asked = LEAST[kind] if asked is None else asked
    path = f"/api/v1/analytics/{kind}"
    return await edge.client.post(path, json=asked, headers={**KEY, **headers})


@pytest.mark.parametrize("kind", KINDS)
async def test_an_answer_says_where_it_comes_from_and_how_old_it_is(edge: Edge, kind: str):
    first, second = [(await ask(edge, kind)).json()["data"] for _ in range(2)]
    assert (first["cached"], second["cached"]) == (False, True)
    assert second["source"] == "cache"
    assert first["elapsedMs"] >= 0
    assert first["asOf"] == "2023-11-14T22:13:20.000Z"


@pytest.mark.parametrize("kind", KINDS)
async def test_the_same_document_written_otherwise_is_the_same_question(edge: Edge, kind: str):
    await ask(edge, kind, {"range": "24h", **LEAST[kind]})
    assert (await ask(edge, kind)).json()["data"]["cached"] is True
    other = await ask(edge, kind, {**LEAST[kind], "range": "7d"})
    assert other.json()["data"]["cached"] is False


@pytest.mark.parametrize("kind", KINDS)
async def test_an_answer_that_the_caller_has_is_not_sent_again(edge: Edge, kind: str):
    first = await ask(edge, kind)
    again = await ask(edge, kind, **{"if-none-match": first.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")


@pytest.mark.parametrize("kind", KINDS)
async def test_a_mistake_is_told_by_its_place(edge: Edge, kind: str):
    answer = await ask(edge, kind, {**LEAST[kind], "filters": [{"op": "is", "field": "userid"}]})
    error = answer.json()["error"]
    assert (answer.status_code, error["code"]) == (400, "VALIDATION_ERROR")
    assert error["details"] == {"field": "filters[0].value"}


@pytest.mark.parametrize("kind", KINDS)
async def test_whoever_may_not_read_asks_in_vain(edge: Edge, kind: str):
    for key, status in (("evp_none", 401), ("evp_in", 403)):
        assert (await ask(edge, kind, **{"x-api-key": key})).status_code == status


@pytest.mark.parametrize("kind", KINDS)
async def test_a_receipt_of_nobody_is_not_found(edge: Edge, kind: str):
    path = f"/api/v1/analytics/{kind}?after=x"
    answer = await edge.client.post(path, json=LEAST[kind], headers=KEY)
    assert answer.status_code == 404


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("error", [QuestionTooBig("narrow it"), AnalyticsUnavailable("away")])
async def test_a_failure_is_told_and_not_kept(kind: str, error: Exception):
    async with running(questions=AskedQuestions(error=error)) as edge:
        failed = await ask(edge, kind)
        assert failed.status_code == 503
        assert failed.headers["retry-after"]
        edge.parts.questions.error = None
        assert (await ask(edge, kind)).status_code == 200
