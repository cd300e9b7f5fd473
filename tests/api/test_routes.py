"""What holds for every route: slashes, methods, errors that nobody foresaw."""

import asyncio

import pytest
from structlog.testing import capture_logs

from tests.api.edge import KEY, Edge, Questions, an_event, running


@pytest.mark.parametrize("path", ["/api/health/", "/api/v1/analytics/metrics/", "/docs/"])
async def test_a_trailing_slash_makes_no_difference(edge: Edge, path: str):
    with_slash = await edge.client.get(path)
    without = await edge.client.get(path.rstrip("/"))
    assert (with_slash.status_code, without.status_code) == (200, 200)


@pytest.mark.parametrize("slash", ["", "/"], ids=["called directly", "routed by the framework"])
async def test_an_error_is_the_same_on_both_ways_to_a_handler(edge: Edge, slash: str):
    answer = await edge.client.post(f"/api/v1/events{slash}", content=b"{}", headers=KEY)
    assert answer.status_code == 400
    assert answer.json()["error"]["details"] == {"field": "eventType"}


async def test_an_unknown_path_is_404_in_the_faces_form(edge: Edge):
    answer = await edge.client.get("/api/v1/nothing")
    assert (answer.status_code, answer.json()["error"]["code"]) == (404, "NOT_FOUND")


async def test_another_method_is_405_and_says_which_there_are(edge: Edge):
    answer = await edge.client.put("/api/v1/analytics/metrics")
    assert (answer.status_code, answer.json()["error"]["code"]) == (405, "METHOD_NOT_ALLOWED")
    assert {"GET", "HEAD"} <= set(answer.headers["allow"].split(", "))


async def test_options_says_which_methods_there_are(edge: Edge):
    answer = await edge.client.options("/api/v1/events")
    assert (answer.status_code, answer.headers["allow"]) == (204, "OPTIONS, POST")


@pytest.mark.parametrize("path", ["/api/v1/analytics/metrics", "/api/health"])
async def test_head_gives_the_headers_alone_and_at_once(edge: Edge, path: str):
    answer = await asyncio.wait_for(edge.client.head(path), 2)
    assert (answer.status_code, answer.content) == (200, b"")
    assert answer.headers["content-type"] == "application/json"


async def test_no_answer_names_the_server(edge: Edge):
    assert "server" not in (await edge.client.get("/api/live")).headers


async def test_an_error_nobody_foresaw_is_500_with_an_id_and_nothing_else():
    with capture_logs() as logs:
        async with running(questions=Questions(error=ZeroDivisionError("secret"))) as edge:
            answer = await edge.client.get("/api/v1/analytics/metrics")
    error = answer.json()["error"]
    assert (answer.status_code, error["code"]) == (500, "ANALYTICS_ERROR")
    assert "secret" not in answer.text
    assert error["details"]["id"] in [entry.get("incident") for entry in logs]


async def test_an_unforeseen_error_at_the_door_is_an_ingestion_error(edge: Edge):
    edge.parts.stream.error = ZeroDivisionError("secret")
    with capture_logs():
        answer = await edge.send([an_event()])
    assert (answer.status_code, answer.json()["error"]["code"]) == (500, "INGESTION_ERROR")
