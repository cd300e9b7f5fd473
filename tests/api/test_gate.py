"""The gate in its order: who calls, how much they send, in which form, by which rules."""

import pytest

from tests.api.edge import KEY, Edge, Environments, an_event, running

BIG = b"[" * 2000


@pytest.mark.parametrize(
    ("headers", "body", "status", "code"),
    [
        ({}, BIG, 401, "MISSING_API_KEY"),
        ({"x-api-key": "evp_nobody"}, BIG, 401, "INVALID_API_KEY"),
        ({"authorization": "Basic YTpi"}, BIG, 401, "INVALID_API_KEY"),
        ({"x-api-key": "evp_out"}, BIG, 403, "FORBIDDEN"),
        (KEY, BIG, 413, "PAYLOAD_TOO_LARGE"),
        (KEY, BIG[:100], 400, "VALIDATION_ERROR"),
    ],
)
async def test_the_first_gate_that_refuses_answers(headers, body, status, code):
    headers = {"content-type": "application/json", **headers}
    async with running(max_body_bytes=1000) as edge:
        answer = await edge.client.post("/api/v1/events/batch", content=body, headers=headers)
    assert answer.status_code == status
    assert answer.json()["error"]["code"] == code
    assert edge.parts.stream.ids == []


async def test_shape_is_told_before_the_rules_of_the_core(edge: Edge):
    answer = await edge.send([an_event(userId="a\x00", priority=99)])
    assert [r["field"] for r in answer.json()["error"]["details"]["rejected"]] == ["priority"]


async def test_whoever_passes_all_gates_is_taken_in(edge: Edge):
    answer = await edge.send([an_event(eventId="e1")])
    assert answer.status_code == 202
    assert edge.parts.stream.ids == ["e1"]


async def test_a_key_may_come_as_a_bearer_token(edge: Edge):
    headers = {"authorization": "Bearer evp_in"}
    answer = await edge.client.post("/api/v1/events", json=an_event(), headers=headers)
    assert answer.status_code == 202


async def test_the_scope_ingest_does_not_read_metrics(edge: Edge):
    answer = await edge.client.get("/api/v1/analytics/metrics", headers={"x-api-key": "evp_in"})
    assert answer.status_code == 403


async def test_anonymous_callers_see_the_public_environment(edge: Edge):
    assert (await edge.client.get("/api/v1/analytics/metrics")).status_code == 200


async def test_metrics_are_closed_when_no_environment_is_public():
    async with running(environments=Environments(None)) as edge:
        answer = await edge.client.get("/api/v1/analytics/metrics")
    assert answer.status_code == 401
    assert answer.json()["error"]["code"] == "MISSING_API_KEY"


@pytest.mark.parametrize("header", [("x-api-key", "evp_x"), ("authorization", "Bearer evp_x")])
async def test_a_bad_key_is_no_anonymous_caller(edge: Edge, header: tuple[str, str]):
    answer = await edge.client.get("/api/v1/analytics/metrics", headers=[header])
    assert answer.json()["error"]["code"] == "INVALID_API_KEY"


@pytest.mark.parametrize("path", ["/api/v1/events/stats", "/api/v1/receipts/x"])
async def test_stats_and_receipts_are_never_anonymous(edge: Edge, path: str):
    assert (await edge.client.get(path)).status_code == 401
