"""The door for events: the documented answers, and every form in which events may come."""

import gzip
import json

import pytest
import zstandard

from service.errors import IngestionUnavailable
from service.storage.protocol import Progress
from tests.api.edge import KEY, Edge, an_event, running


async def test_a_new_event_is_answered_202_as_documented(edge: Edge):
    answer = await edge.client.post("/api/v1/events", json=an_event(eventId="e1"), headers=KEY)
    document = answer.json()
    assert document["data"].pop("receipt")
    assert (answer.status_code, document) == (
        202,
        {
            "success": True,
            "data": {
                "eventId": "e1",
                "accepted": True,
                "duplicate": False,
                "message": "Event accepted for processing",
            },
        },
    )


async def test_a_repeated_event_is_answered_200_as_documented(edge: Edge):
    for _ in range(2):
        answer = await edge.client.post("/api/v1/events", json=an_event(eventId="e1"), headers=KEY)
    data = answer.json()["data"]
    assert answer.status_code == 200
    assert (data["eventId"], data["accepted"], data["duplicate"]) == ("e1", False, True)
    assert data["message"] == "Event already processed (duplicate)"


async def test_an_event_without_an_id_gets_one(edge: Edge):
    answer = await edge.client.post("/api/v1/events", json=an_event(), headers=KEY)
    assert [answer.json()["data"]["eventId"]] == edge.parts.stream.ids


async def test_a_batch_is_answered_with_one_id_an_event_in_order(edge: Edge):
    answer = await edge.send([an_event(eventId="e1"), an_event(), an_event(eventId="e3")])
    data = answer.json()["data"]
    assert answer.status_code == 202
    assert (data["accepted"], data["duplicates"], data["total"], data["rejected"]) == (3, 0, 3, [])
    assert data["eventIds"] == edge.parts.stream.ids
    assert data["eventIds"][::2] == ["e1", "e3"]
    assert data["message"] == "Batch processed successfully"


async def test_a_repeat_inside_one_batch_is_a_duplicate(edge: Edge):
    answer = await edge.send([an_event(eventId="e1"), an_event(eventId="e1")])
    data = answer.json()["data"]
    assert (data["accepted"], data["duplicates"], data["eventIds"]) == (1, 1, ["e1", "e1"])
    assert edge.parts.stream.ids == ["e1"]


async def test_a_rejected_event_keeps_its_place_and_its_id(edge: Edge):
    answer = await edge.send([an_event(), an_event(eventId="bad", priority=0)])
    data = answer.json()["data"]
    assert data["eventIds"][1] == "bad"
    assert data["rejected"] == [
        {
            "index": 1,
            "eventId": "bad",
            "code": "VALIDATION_ERROR",
            "field": "priority",
            "message": "`priority` must be an integer from 1 to 10",
        }
    ]


async def test_a_batch_may_be_ndjson(edge: Edge):
    lines = [json.dumps(an_event(eventId="e1")), "", '{"eventType":NaN}', json.dumps(an_event())]
    answer = await edge.post("\r\n".join(lines).encode(), content_type="application/x-ndjson")
    data = answer.json()["data"]
    assert (data["accepted"], data["total"]) == (2, 3)
    assert [r["index"] for r in data["rejected"]] == [1]


@pytest.mark.parametrize(
    ("coding", "compress"),
    [("gzip", gzip.compress), ("zstd", zstandard.compress), ("identity", bytes)],
)
async def test_a_batch_may_be_compressed(edge: Edge, coding: str, compress):
    body = compress(json.dumps({"events": [an_event(eventId="e1")]}).encode())
    assert (await edge.post(body, content_encoding=coding)).status_code == 202
    assert edge.parts.stream.ids == ["e1"]


@pytest.mark.parametrize(
    "text",
    [
        "2024-01-30T12:34:56Z",
        "2024-01-30T12:34:56",
        "2024-01-30t12:34:56z",
        "2024-01-30 13:34:56+01:00",
        "2024-01-30T13:34:56+01",
        "20240130T123456Z",
        "2024-W05-2T12:34:56Z",
        "2024-01-30T12:34:56,000Z",
    ],
)
async def test_a_time_may_have_any_iso_8601_form(edge: Edge, text: str):
    assert (await edge.send([an_event(timestamp=text)])).status_code == 202
    assert [e["timestamp"] for e in edge.parts.stream.events] == [1_706_618_096_000]


async def test_unknown_fields_are_kept_in_the_metadata(edge: Edge):
    await edge.send([an_event(metadata={"a": 1}, colour="red", size=[2])])
    (kept,) = edge.parts.stream.events
    assert json.loads(kept["metadata"]) == {"a": 1, "_extra": {"colour": "red", "size": [2]}}


async def test_unknown_fields_are_refused_when_strict():
    async with running(strict=True) as edge:
        answer = await edge.send([an_event(eventId="e1"), an_event(colour="red")])
    assert [r["field"] for r in answer.json()["data"]["rejected"]] == ["colour"]
    assert edge.parts.stream.ids == ["e1"]


async def test_an_idempotency_key_gives_a_retry_the_same_ids(edge: Edge):
    for _ in range(2):
        answer = await edge.post(
            json.dumps({"events": [an_event(), an_event()]}).encode(), idempotency_key="k1"
        )
    assert (answer.json()["data"]["accepted"], answer.json()["data"]["duplicates"]) == (0, 2)
    assert edge.parts.stream.ids[:2] == edge.parts.stream.ids[2:]


async def test_when_the_stream_does_not_acknowledge_the_answer_is_503(edge: Edge):
    edge.parts.stream.error = IngestionUnavailable("the stream is full", 2.5)
    answer = await edge.send([an_event()])
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "3")
    assert answer.json()["error"]["code"] == "INGESTION_UNAVAILABLE"


async def test_ack_stored_waits_for_the_store(edge: Edge):
    edge.parts.mark.advance(Progress(sequence=1))
    for path in ("/api/v1/events", "/api/v1/events/batch"):
        body = an_event() if path == "/api/v1/events" else {"events": [an_event()]}
        answer = await edge.client.post(f"{path}?ack=stored", json=body, headers=KEY)
        assert (answer.status_code, answer.json()["data"]["stored"]) == (202, True)


async def test_ack_stored_says_so_when_the_store_is_late(edge: Edge):
    answer = await edge.send([an_event()], params={"ack": "stored"})
    assert (answer.status_code, answer.json()["data"]["stored"]) == (202, False)
