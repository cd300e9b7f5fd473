"""`POST /api/v1/analytics/query` at the edge: its answer, its refusals, the cache before it."""

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import httpx2
import pytest

from service.api.served import LARGEST_QUESTION
from service.api.sheets import SHEETS
from service.errors import AnalyticsUnavailable, QuestionTooBig
from service.query.share import Computed
from tests.api.edge import KEY, Edge, running
from tests.api.edge import Questions as AskedQuestions

QUERY = "/api/v1/analytics/query"
ASKED = {"metrics": ["events"]}


async def ask(edge: Edge, query: Any = ASKED, **headers: str) -> httpx2.Response:
    return await edge.client.post(QUERY, json=query, headers={**KEY, **headers})


async def test_an_answer_says_where_it_comes_from_and_what_it_took(edge: Edge):
    first, second = [(await ask(edge)).json()["data"] for _ in range(2)]
    assert (first["cached"], second["cached"]) == (False, True)
    assert second["source"] == "cache"
    assert (first["rowsRead"], first["bytesRead"]) == (300, None)
    assert (second["rowsRead"], second["bytesRead"]) == (0, 0)
    assert first["elapsedMs"] >= 0
    assert first["asOf"] == "2023-11-14T22:13:20.000Z"


async def test_the_same_query_written_otherwise_is_the_same_question(edge: Edge):
    await ask(edge, {"metrics": ["events"], "range": "24h", "limit": 100})
    again = await ask(edge, {"limit": 100, "metrics": ["events"]})
    assert again.json()["data"]["cached"] is True


async def test_another_query_is_another_question(edge: Edge):
    for query in (ASKED, {"metrics": ["users"]}, {**ASKED, "range": "7d"}):
        assert (await ask(edge, query)).json()["data"]["cached"] is False


async def test_an_answer_that_the_caller_has_is_not_sent_again(edge: Edge):
    first = await ask(edge)
    again = await ask(edge, **{"if-none-match": first.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ({}, "metrics"),
        ({"metrics": ["event"]}, "metrics[0]"),
        ({**ASKED, "filters": [{"op": "is", "field": "payload.a"}]}, "filters[0].value"),
        ({**ASKED, "limit": "5"}, "limit"),
        ({**ASKED, "cursor": "bm9uZQ"}, "cursor"),
    ],
)
async def test_a_wrong_query_is_told_by_its_place(edge: Edge, query: Any, field: str):
    answer = await ask(edge, query)
    error = answer.json()["error"]
    assert (answer.status_code, error["code"]) == (400, "VALIDATION_ERROR")
    assert error["details"] == {"field": field}
    assert f"`{field}`" in error["message"]


@pytest.mark.parametrize(
    ("status", "body", "headers"),
    [
        (400, b"", {}),
        (400, b"[]", {}),
        (400, b"\xff\xfe", {}),
        (400, b"[" * 10_000, {}),
        (413, b" " * (LARGEST_QUESTION + 1), {}),
        (415, b"{}", {"content-type": "text/plain"}),
        (415, b"{}", {"content-encoding": "br"}),
    ],
)
async def test_a_body_that_is_no_query_is_refused(edge: Edge, status: int, body: bytes, headers):
    named = {"content-type": "application/json", **KEY, **headers}
    assert (await edge.client.post(QUERY, content=body, headers=named)).status_code == status


@pytest.mark.parametrize(
    ("status", "headers"),
    [(401, {}), (401, {"x-api-key": "evp_none"}), (403, {"x-api-key": "evp_in"})],
)
async def test_who_may_not_read_asks_in_vain_even_where_metrics_are_public(
    edge: Edge, status: int, headers: dict[str, str]
):
    answer = await edge.client.post(QUERY, json=ASKED, headers=headers)
    assert answer.status_code == status


async def test_another_parameter_than_after_is_refused(edge: Edge):
    answer = await edge.client.post(f"{QUERY}?limit=5", json=ASKED, headers=KEY)
    assert answer.json()["error"]["details"] == {"field": "limit"}


ROWS = b"""{"range":{"start":"a","end":"b"},"rows":[
 {"dimensions":{"time":"2013-01-02T05:00:00Z","payload.a":"=1"},"metrics":{"events":3},
  "compare":{"metrics":{"events":2},"time":"2013-01-01T05:00:00Z"}}],"cursor":"abc"}"""
COMPARED = {**ASKED, "dimensions": ["time", "payload.a"], "compare": "previous"}
CSV_OF_ROWS = (
    b'"time","payload.a","events","compare.time","compare.events"\r\n'
    b'"2013-01-02T05:00:00.000Z","\'=1",3,"2013-01-01T05:00:00.000Z",2\r\n'
)


@pytest.fixture
async def with_rows() -> AsyncIterator[Edge]:
    async with running(questions=AskedQuestions(ROWS)) as edge:
        yield edge


async def test_the_rows_come_as_a_file_with_what_is_to_be_said_of_them_in_headers(with_rows: Edge):
    answer = await ask(with_rows, COMPARED, accept="text/csv")
    assert (answer.status_code, answer.content) == (200, CSV_OF_ROWS)
    headers = answer.headers
    assert headers["content-type"] == "text/csv; charset=utf-8"
    assert headers["content-disposition"] == 'attachment; filename="query.csv"'
    assert (headers["x-as-of"], headers["x-next-cursor"]) == ("2023-11-14T22:13:20.000Z", "abc")
    assert "accept" in headers["vary"].split(", ")


async def test_all_forms_are_of_one_answer_and_each_has_a_tag_of_its_own(with_rows: Edge):
    forms = [form.name for form in SHEETS]
    answers = [
        await with_rows.client.post(f"{QUERY}?format={form}", json=COMPARED, headers=KEY)
        for form in forms
    ]
    assert [answer.status_code for answer in answers] == [200] * len(forms)
    assert len({answer.headers["etag"] for answer in answers}) == len(forms)
    assert with_rows.parts.questions.computed == 1


async def test_a_file_that_the_caller_has_is_not_sent_again_and_another_form_is(with_rows: Edge):
    etag = (await ask(with_rows, COMPARED, accept="text/csv")).headers["etag"]
    same = await ask(with_rows, COMPARED, accept="text/csv", **{"if-none-match": etag})
    other = await ask(with_rows, COMPARED, **{"if-none-match": etag})
    assert (same.status_code, same.content, other.status_code) == (304, b"", 200)


@pytest.mark.parametrize(
    ("query", "accept", "field"), [("?format=xml", "*/*", "format"), ("", "image/png", "accept")]
)
async def test_a_form_that_there_is_not_is_406_with_those_there_are(
    edge: Edge, query: str, accept: str, field: str
):
    answer = await edge.client.post(QUERY + query, json=ASKED, headers={**KEY, "accept": accept})
    error = answer.json()["error"]
    assert (answer.status_code, error["code"]) == (406, "NOT_ACCEPTABLE")
    assert error["details"] == {"field": field}
    assert "csv" in error["message"]
    assert edge.parts.questions.computed == 0


async def test_a_receipt_of_nobody_is_not_found(edge: Edge):
    answer = await edge.client.post(f"{QUERY}?after=x", json=ASKED, headers=KEY)
    assert answer.status_code == 404


@pytest.mark.parametrize("error", [QuestionTooBig("narrow it"), AnalyticsUnavailable("away")])
async def test_a_failure_is_told_and_not_kept(error: Exception):
    async with running(questions=AskedQuestions(error=error)) as edge:
        failed = await ask(edge)
        assert failed.status_code == 503
        assert failed.headers["retry-after"]
        edge.parts.questions.error = None
        assert (await ask(edge)).status_code == 200


class Slow(AskedQuestions):
    """Computes until it is stopped."""

    def __init__(self) -> None:
        super().__init__()
        self.begun, self.stopped = asyncio.Event(), asyncio.Event()

    async def _compute(self) -> Computed:
        self.begun.set()
        try:
            return await asyncio.get_running_loop().create_future()
        finally:
            self.stopped.set()


@pytest.mark.parametrize(
    ("request_line", "asked"),
    [
        (f"POST {QUERY}", ASKED),
        ("POST /api/v1/analytics/sql", {"query": "SELECT 1"}),
        ("GET /v1/analytics/realtime", {}),
    ],
    ids=["query", "sql", "realtime"],
)
async def test_a_question_ends_when_all_who_asked_it_have_hung_up(request_line: str, asked: Any):
    slow = Slow()
    async with running(questions=slow) as edge:
        body = json.dumps(asked)
        head = f"{request_line} HTTP/1.1\r\nhost: 127.0.0.1\r\nx-api-key: evp_all\r\n"
        length = f"content-type: application/json\r\ncontent-length: {len(body)}\r\n\r\n{body}"
        _, writer = await asyncio.open_connection("127.0.0.1", edge.port)
        writer.write((head + length).encode())
        await slow.begun.wait()
        writer.close()
        await slow.stopped.wait()
