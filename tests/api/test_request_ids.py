"""Every answer says the id of its request, and the log has it."""

import json

import pytest
import structlog

from service.telemetry import configure_logs
from tests.api.edge import KEY, Edge, an_event, running
from tests.api.test_log import Broken


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/api/live", 200),
        ("HEAD", "/api/live", 200),
        ("GET", "/api/v1/customers/ada", 200),
        ("GET", "/nowhere", 404),
        ("DELETE", "/api/live", 405),
        ("POST", "/api/v1/events/batch", 400),
    ],
)
async def test_every_answer_has_the_id_that_was_given(edge: Edge, method, path, status):
    answer = await edge.client.request(method, path, headers=KEY | {"x-request-id": "from-me"})
    assert (answer.status_code, answer.headers["x-request-id"]) == (status, "from-me")


async def test_a_refused_call_has_one_too(edge: Edge):
    answer = await edge.client.post("/api/v1/events", json=an_event())
    assert answer.status_code == 401
    assert answer.headers["x-request-id"]


async def test_each_request_gets_its_own_and_one_that_does_not_fit_is_replaced(edge: Edge):
    given = [{}, {}, {"x-request-id": "a b"}, {"x-request-id": "x" * 65}]
    answers = [await edge.client.get("/api/live", headers=headers) for headers in given]
    ids = {answer.headers["x-request-id"] for answer in answers}
    assert len(ids) == 4
    assert not ids & {"a b", "x" * 65}


async def test_pages_of_allowed_origins_may_read_it():
    async with running(cors_origins="https://a.example") as edge:
        answer = await edge.client.get("/api/live", headers={"origin": "https://a.example"})
    assert "x-request-id" in answer.headers["access-control-expose-headers"]


async def test_what_the_log_says_of_a_request_has_its_id(capsys):
    configure_logs("json")
    try:
        async with running(questions=Broken("x" * 8)) as edge:
            headers = KEY | {"x-request-id": "find-me"}
            answer = await edge.client.get("/api/v1/events/stats", headers=headers)
        assert answer.status_code == 500
        (line,) = map(json.loads, capsys.readouterr().err.splitlines())
        assert (line["event"], line["request_id"]) == ("api.failed", "find-me")
    finally:
        structlog.reset_defaults()


async def test_a_message_on_the_stream_names_the_requests_in_it():
    async with running() as edge:
        answer = await edge.client.post(
            "/api/v1/events", json=an_event(), headers=KEY | {"x-request-id": "r1"}
        )
        assert answer.status_code == 202
        assert edge.parts.stream.notes == {"Headrace-Requests": "r1"}
