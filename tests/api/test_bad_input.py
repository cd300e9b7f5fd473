"""Bad input: each a clear 4xx in the face's form, nothing stored, the next caller unharmed."""

import gzip
import json
from datetime import UTC, datetime, timedelta

import pytest
import zstandard

from tests.api.edge import Edge, an_event

TOMORROW = (datetime.now(UTC) + timedelta(hours=48)).isoformat()
GOOD = json.dumps({"events": [an_event(eventId="good")]}).encode()
NESTED = b'{"events":[{"payload":' + b"[" * 200_000 + b"]" * 200_000 + b"}]}"
ZEROS = b"\0" * 200_000_000


def batch(event: str) -> bytes:
    return b'{"events":[%b]}' % event.encode("utf-8", "surrogatepass")


def event(**changes: object) -> bytes:
    return batch(json.dumps(an_event(**changes)))


def many(count: int) -> bytes:
    return json.dumps({"events": [an_event()] * count}).encode()


BODIES = {
    "empty": (b"", 400, "empty"),
    "not JSON": (b"hello", 400, "not valid JSON"),
    "cut off": (GOOD[:-5], 400, "not valid JSON"),
    "two documents": (GOOD + GOOD, 400, "not valid JSON"),
    "a list": (b"[]", 400, "object"),
    "no events": (b'{"events":[]}', 400, "no events"),
    "events missing": (b"{}", 400, "events"),
    "events of another type": (b'{"events":"x"}', 400, "array"),
    "more beside events": (b'{"events":[],"x":1}', 400, "unknown field `x`"),
    "too many": (many(1001), 413, "1000"),
    "too large": (b'{"events":["' + b"x" * 17_000_000 + b'"]}', 413, "bytes"),
    "millions of values": (b'{"events":[' + b"[]," * 2_000_000 + b"1]}", 413, "values"),
    "NaN": (batch('{"payload":{"x":NaN}}'), 400, "not valid JSON"),
    "a depth bomb": (NESTED, 400, "deep"),
    "a byte order mark": (b"\xef\xbb\xbf" + GOOD, 400, "byte order mark"),
    "UTF-16": (GOOD.decode().encode("utf-16"), 400, "not valid JSON"),
    "a lone surrogate": (batch(r'{"userId":"\udc00"}'), 400, "surrogate"),
    "a raw control character": (batch('{"userId":"a\x00b"}'), 400, "not valid JSON"),
}

EVENTS = {
    "no object": (batch("5"), None),
    "missing fields": (batch("{}"), "eventType"),
    "a number for a text": (event(userId=7), "userId"),
    "a list for an object": (event(payload=[1]), "payload"),
    "an empty text": (event(eventType=""), "eventType"),
    "a long type": (event(eventType="x" * 101), "eventType"),
    "a long id": (event(eventId="x" * 129), "eventId"),
    "a priority out of range": (event(priority=11), "priority"),
    "NUL in an id": (event(userId="a\x00b"), "userId"),
    "a control character in a type": (event(eventType="a\x1b[31m"), "eventType"),
    "an epoch for a time": (event(timestamp=1_706_618_096), "timestamp"),
    "no time at all": (event(timestamp="yesterday"), "timestamp"),
    "an unknown time zone": (event(timestamp="2024-01-30T12:00:00 Mars/Base"), "timestamp"),
    "an offset of a day": (event(timestamp="2024-01-30T12:00:00+24:00"), "timestamp"),
    "a time in the far future": (event(timestamp=TOMORROW), "timestamp"),
    "a number out of range": (batch('{"payload":{"x":1e999}}'), "payload"),
    "300,000 keys": (event(payload={f"k{n}": 1 for n in range(300_000)}), "payload"),
    "deep nesting": (event(payload={"x": json.loads("[" * 50 + "]" * 50)}), "payload"),
    "bytes that are no UTF-8": (event(userId="@").replace(b"@", b"\xff"), "userId"),
}

CODINGS = {
    "a gzip bomb": ("gzip", gzip.compress(ZEROS), 413, "inflated"),
    "a zstd bomb": ("zstd", zstandard.compress(ZEROS), 413, "inflated"),
    "gzip cut off": ("gzip", gzip.compress(GOOD)[:-9], 400, "too early"),
    "zstd cut off": ("zstd", zstandard.compress(GOOD)[:-3], 400, "too early"),
    "gzip and rubbish": ("gzip", gzip.compress(GOOD) + b"rubbish", 400, "inflate"),
    "zstd and rubbish": ("zstd", zstandard.compress(GOOD) + b"rubbish", 400, "inflate"),
    "thousands of members": ("gzip", gzip.compress(b"") * 5000, 400, "parts"),
    "not gzip at all": ("gzip", GOOD, 400, "inflate"),
    "brotli": ("br", GOOD, 415, "gzip or zstd"),
    "two codings": ("gzip, zstd", GOOD, 415, "gzip or zstd"),
}

TYPES = ["text/plain", "application/xml", "application/json; charset=utf-16", "multipart/form-data"]


async def assert_refused(edge: Edge, answer, status: int, part: str) -> dict:
    """A clear refusal in the face's form, and a service that goes on."""
    document = answer.json()
    assert (answer.status_code, document["success"]) == (status, False)
    assert set(document["error"]) == {"code", "message", "details"}
    assert part in document["error"]["message"]
    assert edge.parts.stream.ids == []
    assert (await edge.post(GOOD)).status_code == 202
    return document["error"]


@pytest.mark.parametrize("name", BODIES)
async def test_a_body_that_is_no_batch_is_refused_whole(edge: Edge, name: str):
    body, status, part = BODIES[name]
    await assert_refused(edge, await edge.post(body), status, part)


@pytest.mark.parametrize("name", EVENTS)
async def test_a_bad_event_is_refused_by_name(edge: Edge, name: str):
    body, field = EVENTS[name]
    error = await assert_refused(edge, await edge.post(body), 400, "none of the events")
    assert [r["field"] for r in error["details"]["rejected"]] == [field]


@pytest.mark.parametrize("name", EVENTS)
async def test_a_bad_event_does_not_sink_the_others(edge: Edge, name: str):
    body, field = EVENTS[name]
    bad = body.removeprefix(b'{"events":[').removesuffix(b"]}")
    good = json.dumps(an_event(eventId="good")).encode()
    answer = await edge.post(b'{"events":[%b,%b]}' % (bad, good))
    data = answer.json()["data"]
    assert (data["accepted"], data["total"], data["eventIds"][1]) == (1, 2, "good")
    assert [(r["index"], r["field"]) for r in data["rejected"]] == [(0, field)]
    assert edge.parts.stream.ids == ["good"]


@pytest.mark.parametrize("name", CODINGS)
async def test_a_body_that_does_not_inflate_is_refused(edge: Edge, name: str):
    coding, body, status, part = CODINGS[name]
    answer = await edge.post(body, content_encoding=coding)
    await assert_refused(edge, answer, status, part)


@pytest.mark.parametrize("kind", TYPES)
async def test_another_content_type_is_refused(edge: Edge, kind: str):
    await assert_refused(edge, await edge.post(GOOD, content_type=kind), 415, "send the body")


async def test_a_bad_single_event_names_its_field(edge: Edge):
    body = json.dumps(an_event(priority=0)).encode()
    error = await assert_refused(edge, await edge.post(body, ""), 400, "1 to 10")
    assert error["details"] == {"field": "priority"}


@pytest.mark.parametrize("query", ["ack=later", "ack=stored&ack=stored", "wait=1", "ack=%ff"])
async def test_an_unknown_parameter_of_the_door_is_refused(edge: Edge, query: str):
    answer = await edge.post(GOOD, f"/batch?{query}")
    assert answer.json()["error"]["code"] == "VALIDATION_ERROR"
    assert edge.parts.stream.ids == []


@pytest.mark.parametrize("key", ["", "x" * 256])
async def test_an_idempotency_key_has_1_to_255_characters(edge: Edge, key: str):
    await assert_refused(edge, await edge.post(GOOD, idempotency_key=key), 400, "Idempotency-Key")
