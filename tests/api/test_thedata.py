"""The thedata face: its doors, its forms, its errors."""

import json
from typing import Any

import httpx2
import pytest

from service.errors import IngestionUnavailable
from service.storage.protocol import Progress
from tests.api.edge import KEY, Edge, running
from tests.api.test_tier_limits import TieredKeys

EVENTS, BATCH, POINTS = "/v1/ingest/events", "/v1/ingest/events/batch", "/v1/ingest/metrics"


def an_event(**changes: Any) -> dict[str, Any]:
    """An event as the seed's clients write it."""
    return {
        "event_type": "page_view",
        "timestamp": "2024-02-12T10:00:00Z",
        "source": "web",
        "user_id": "user_123",
        "properties": {"page": "/home", "load_ms": 12.5},
        **changes,
    }


def a_point(**changes: Any) -> dict[str, Any]:
    point = {"name": "response_time", "value": 250, "timestamp": "2024-02-12T10:00:00Z"}
    return {**point, "labels": {"endpoint": "/home"}, **changes}


async def send(edge: Edge, path: str, document: Any, **headers: str) -> httpx2.Response:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return await edge.client.post(path, json=document, headers={**KEY, **named})


async def test_an_event_is_accepted_as_documented(edge: Edge):
    answer = await send(edge, EVENTS, an_event(event_id="e1"))
    document = answer.json()
    assert document.pop("receipt")
    assert (answer.status_code, document) == (
        202,
        {"status": "accepted", "event_id": "e1", "duplicate": False},
    )


async def test_an_event_is_translated_to_the_one_that_all_faces_store(edge: Edge):
    await send(edge, EVENTS, an_event(event_id="e1", session_id="s1", colour="red"))
    (kept,) = edge.parts.stream.events
    assert (kept["event_type"], kept["user_id"], kept["session_id"]) == (
        "page_view", "user_123", "s1",
    )  # fmt: skip
    assert (kept["source"], kept["timestamp"]) == ("web", 1_707_732_000_000)
    assert json.loads(kept["payload"]) == {"page": "/home", "load_ms": 12.5}
    assert dict(kept["numbers"]) == {"load_ms": 12.5}
    assert json.loads(kept["metadata"]) == {"source": "web", "_extra": {"colour": "red"}}


async def test_user_session_source_properties_and_id_may_be_missing(edge: Edge):
    sparse = {"event_type": "tick", "timestamp": "2024-02-12T10:00:00Z"}
    answer = await send(edge, EVENTS, {**sparse, "user_id": None})
    (kept,) = edge.parts.stream.events
    assert answer.json()["event_id"] == kept["event_id"]
    assert (kept["user_id"], kept["session_id"], kept["source"]) == ("", "", "")
    assert (kept["user_key"], kept["session_key"]) == (0, 0)


async def test_a_repeated_event_is_accepted_and_called_a_duplicate(edge: Edge):
    answers = [await send(edge, EVENTS, an_event(event_id="e1")) for _ in range(2)]
    assert [(a.status_code, a.json()["duplicate"]) for a in answers] == [(202, False), (202, True)]


async def test_an_idempotency_key_gives_a_retry_the_same_ids(edge: Edge):
    batch = [an_event(), an_event()]
    first, second = [await send(edge, BATCH, batch, idempotency_key="k1") for _ in range(2)]
    assert (first.json()["accepted"], second.json()["duplicates"]) == (2, 2)
    assert first.json()["event_ids"] == second.json()["event_ids"]


async def test_a_batch_is_a_bare_array_with_a_verdict_on_each(edge: Edge):
    bad = an_event(event_id="bad", timestamp="yesterday")
    answer = await send(edge, BATCH, [an_event(event_id="e1"), bad, an_event(event_id="e1")])
    document = answer.json()
    assert (answer.status_code, document["status"]) == (202, "accepted")
    assert (document["accepted"], document["duplicates"]) == (1, 1)
    assert document["event_ids"] == ["e1", "bad", "e1"]
    error = "`timestamp` must be an ISO 8601 time such as 2024-01-30T12:34:56Z"
    assert document["rejected"] == [
        {
            "code": "validation_error",
            "message": "Invalid data",
            "details": {"field": "timestamp", "error": error},
            "index": 1,
            "event_id": "bad",
        }
    ]


async def test_a_batch_of_which_nothing_can_be_taken_is_400_with_all_verdicts(edge: Edge):
    answer = await send(edge, BATCH, [{}, an_event(user_id=7)])
    details = answer.json()["details"]
    assert (answer.status_code, details["field"]) == (400, "event_type")
    assert [r["details"]["field"] for r in details["rejected"]] == ["event_type", "user_id"]


async def test_a_batch_may_be_ndjson(edge: Edge):
    lines = "\n".join(json.dumps(an_event()) for _ in range(3)).encode()
    headers = {**KEY, "content-type": "application/x-ndjson"}
    answer = await edge.client.post(BATCH, content=lines, headers=headers)
    assert answer.json()["accepted"] == 3


async def test_a_metric_point_is_an_event_whose_numbers_hold_its_value(edge: Edge):
    answer = await send(edge, POINTS, [a_point(source="api", event_id="p1")])
    (kept,) = edge.parts.stream.events
    assert (answer.status_code, answer.json()["event_ids"]) == (202, ["p1"])
    assert (kept["event_type"], kept["source"]) == ("metric", "api")
    assert dict(kept["numbers"]) == {"response_time": 250.0}
    assert json.loads(kept["payload"]) == {"response_time": 250.0, "endpoint": "/home"}


POINTS_REFUSED = {
    "no value": ({"value": None}, "value"),
    "a text for a value": ({"value": "12"}, "value"),
    "a truth for a value": ({"value": True}, "value"),
    "no name": ({"name": ""}, "name"),
    "a control character": ({"name": "a\x00"}, "name"),
    "labels that are no texts": ({"labels": {"a": 1}}, "labels"),
    "a label that hides the value": ({"labels": {"response_time": "x"}}, "labels"),
    "labels without measure": ({"labels": {"a": "x" * 40_000}}, "labels"),
    "a time to come": ({"timestamp": "2999-01-01T00:00:00Z"}, "timestamp"),
}


@pytest.mark.parametrize(("changes", "field"), POINTS_REFUSED.values(), ids=POINTS_REFUSED)
async def test_a_bad_metric_point_is_refused_by_its_field(edge: Edge, changes: Any, field: str):
    answer = await send(edge, POINTS, [a_point(), a_point(event_id="bad", **changes)])
    document = answer.json()
    assert (answer.status_code, document["accepted"]) == (202, 1)
    (refused,) = document["rejected"]
    assert (refused["event_id"], refused["details"]["field"]) == ("bad", field)
    assert f"`{field}`" in refused["details"]["error"] or "label" in refused["details"]["error"]


EVENTS_REFUSED = {
    "nothing": ({}, "event_type"),
    "a list": ([], None),
    "a number for a type": (an_event(event_type=7), "event_type"),
    "a time that is none": (an_event(timestamp="soon"), "timestamp"),
    "an empty source": (an_event(source=""), "source"),
    "NUL in a user": (an_event(user_id="a\x00"), "user_id"),
    "NUL in a session": (an_event(session_id="a\x00"), "session_id"),
    "large properties": (an_event(properties={"a": "x" * 40_000}), "properties"),
    "deep properties": (
        an_event(properties=json.loads('{"a":' * 30 + "1" + "}" * 30)),
        "properties",
    ),
}


@pytest.mark.parametrize(("document", "field"), EVENTS_REFUSED.values(), ids=EVENTS_REFUSED)
async def test_a_bad_event_is_400_with_the_field_by_its_name_here(edge, document, field):
    answer = await send(edge, EVENTS, document)
    error = answer.json()
    assert (answer.status_code, error["code"], error["message"]) == (
        400, "validation_error", "Invalid data",
    )  # fmt: skip
    assert error["details"]["field"] == field
    assert field is None or f"`{field}`" in error["details"]["error"]


@pytest.mark.parametrize("path", [BATCH, POINTS])
@pytest.mark.parametrize(("body", "status"), [(b"", 400), (b"[]", 400), (b"{}", 400), (b"[1", 400)])
async def test_a_body_that_is_no_batch_is_refused_whole(edge: Edge, path: str, body, status: int):
    headers = {**KEY, "content-type": "application/json"}
    answer = await edge.client.post(path, content=body, headers=headers)
    assert (answer.status_code, answer.json()["code"]) == (status, "validation_error")


async def test_more_than_a_thousand_are_too_many(edge: Edge):
    answer = await send(edge, BATCH, [an_event()] * 1001)
    assert (answer.status_code, answer.json()["code"]) == (413, "payload_too_large")
    assert edge.parts.stream.ids == []


async def test_unknown_fields_are_refused_when_strict():
    async with running(strict=True) as edge:
        answer = await send(edge, EVENTS, an_event(colour="red"))
    assert (answer.status_code, answer.json()["details"]["field"]) == (400, "colour")


async def test_whoever_may_not_send_is_told_so_in_this_faces_form(edge: Edge):
    nobody = await edge.client.post(EVENTS, json=an_event())
    reader = await send(edge, EVENTS, an_event(), x_api_key="evp_out")
    assert (nobody.status_code, nobody.json()["code"]) == (401, "missing_api_key")
    assert (reader.status_code, reader.json()["code"]) == (403, "forbidden")
    assert nobody.json()["details"] == {"field": None, "error": nobody.json()["message"]}


async def test_unknown_paths_and_methods_err_in_this_faces_form(edge: Edge):
    unknown = await edge.client.get("/v1/nothing", headers=KEY)
    wrong = await edge.client.get(EVENTS, headers=KEY)
    assert (unknown.status_code, unknown.json()["code"]) == (404, "not_found")
    assert (wrong.status_code, wrong.json()["code"]) == (405, "method_not_allowed")
    assert "POST" in wrong.headers["allow"]


async def test_when_the_stream_does_not_acknowledge_the_answer_is_503(edge: Edge):
    edge.parts.stream.error = IngestionUnavailable("the stream is full", 2.5)
    answer = await send(edge, BATCH, [an_event()])
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "3")
    assert answer.json()["code"] == "ingestion_unavailable"


async def test_ack_stored_waits_for_the_store(edge: Edge):
    edge.parts.mark.advance(Progress(sequence=1))
    answer = await send(edge, f"{BATCH}?ack=stored", [an_event()])
    assert (answer.status_code, answer.json()["stored"]) == (202, True)


async def test_a_slash_at_the_end_makes_no_difference(edge: Edge):
    assert (await send(edge, f"{EVENTS}/", an_event())).status_code == 202


@pytest.mark.parametrize("headers", [{}, KEY], ids=["nobody", "a key"])
async def test_health_answers_without_a_key_too_and_tells_limits(edge: Edge, headers):
    answer = await edge.client.get("/v1/health", headers=headers)
    assert (answer.status_code, answer.json()["status"]) == (200, "healthy")
    assert set(answer.json()["services"]) == {"store", "stream", "cache", "control"}
    assert "x-ratelimit-limit" in answer.headers


async def left(edge: Edge, document: Any, path: str = BATCH) -> str:
    answer = await send(edge, path, document, x_api_key="free")
    return answer.headers["x-ratelimit-remaining"]


async def test_a_batch_is_one_request_unless_its_tier_counts_events():
    async with running(keys=TieredKeys()) as edge:
        assert await left(edge, [an_event()] * 10) == "99"
    async with running(keys=TieredKeys(), events_cost_up_to="free") as edge:
        assert await left(edge, [an_event()] * 10) == "90"
        assert await left(edge, an_event(), EVENTS) == "89"
        basic = await send(edge, BATCH, [an_event()] * 10, x_api_key="basic")
        assert basic.headers["x-ratelimit-remaining"] == "999"


async def test_where_events_count_a_batch_that_is_too_much_is_refused_and_not_taken():
    async with running(keys=TieredKeys(), events_cost_up_to="free") as edge:
        await left(edge, [an_event()] * 60)
        refused = await send(edge, BATCH, [an_event()] * 60, x_api_key="free")
        never = await send(edge, BATCH, [an_event()] * 101, x_api_key="free")
        assert (refused.status_code, refused.json()["code"]) == (429, "rate_limited")
        assert int(refused.headers["retry-after"]) >= 1
        assert (never.status_code, never.json()["code"]) == (413, "payload_too_large")
        assert len(edge.parts.stream.ids) == 60
