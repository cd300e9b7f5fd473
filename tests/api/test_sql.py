"""`POST /api/v1/analytics/sql` at the edge: who may ask, and how mistakes are told."""

from typing import Any

import httpx2
import pytest

from tests.api.edge import KEY, Edge

SQL = "/api/v1/analytics/sql"


async def ask(edge: Edge, body: Any, key: str = KEY["x-api-key"]) -> httpx2.Response:
    return await edge.client.post(SQL, json=body, headers={"x-api-key": key})


async def test_an_answer_says_where_it_comes_from_and_what_was_read(edge: Edge):
    first, second = [(await ask(edge, {"query": "SELECT 1"})).json()["data"] for _ in range(2)]
    assert (first["cached"], first["rowsRead"], first["bytesRead"]) == (False, 300, None)
    assert (second["source"], second["rowsRead"]) == ("cache", 0)
    assert first["elapsedMs"] >= 0


async def test_now_is_not_kept(edge: Edge):
    query = {"query": "SELECT count(*) FROM events WHERE timestamp > now()"}
    assert (await ask(edge, query)).status_code == 200


@pytest.mark.parametrize(
    ("body", "code", "message"),
    [
        ({"query": "SELECT * FROM url('x')"}, "SQL_NOT_ALLOWED", "line 1, column 15: "),
        ({"query": "DROP TABLE events"}, "SQL_NOT_ALLOWED", "only SELECT"),
        ({"query": "SELECT nope FROM events"}, "SQL_INVALID", "line 1, column 8: "),
        ({"query": "SELECT 1 +"}, "SQL_INVALID", "line 1, "),
        ({"query": "SELECT $a"}, "SQL_INVALID", "$a has no value"),
        ({"query": "SELECT 1", "parameters": {"a": 1}}, "VALIDATION_ERROR", "the query has no $a"),
        ({"query": "SELECT 1", "limit": 0}, "VALIDATION_ERROR", "`limit`"),
        ({"sql": "SELECT 1"}, "VALIDATION_ERROR", "`sql`"),
    ],
)
async def test_a_wrong_query_is_told_by_its_place(edge: Edge, body: Any, code: str, message: str):
    answer = await ask(edge, body)
    error = answer.json()["error"]
    assert (answer.status_code, error["code"]) == (400, code)
    assert message in error["message"]
    assert error["details"]["field"]


@pytest.mark.parametrize(("key", "status"), [("evp_none", 401), ("evp_in", 403), ("evp_out", 403)])
async def test_to_read_is_not_enough(edge: Edge, key: str, status: int):
    assert (await ask(edge, {"query": "SELECT 1"}, key)).status_code == status
