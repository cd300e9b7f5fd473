"""The doors for Segment's and PostHog's clients: what becomes of what, and how it is refused."""

import json
import time
from base64 import b64encode
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx2
import pytest

from service.api.dropins.clocks import Clock
from service.errors import IngestionUnavailable
from tests.api.edge import Edge, running
from tests.api.test_tier_limits import TieredKeys

THEN = "2024-02-12T10:00:00Z"
AT = 1_707_732_000_000
BASIC = {"authorization": f"Basic {b64encode(b'evp_in:').decode()}"}
SEGMENT, POSTHOG = "/v1/batch", "/batch/"


def a_call(**fields: Any) -> dict[str, Any]:
    known = {"type": "track", "event": "Bought", "userId": "ada", "timestamp": THEN}
    return {**known, "messageId": "m1", **fields}


def a_capture(**fields: Any) -> dict[str, Any]:
    known = {"event": "bought", "distinct_id": "ada", "timestamp": THEN, "uuid": "u1"}
    return {**known, "properties": {}, **fields}


async def send(edge: Edge, path: str, document: Any, **headers: str) -> httpx2.Response:
    return await edge.client.post(path, json=document, headers=headers or BASIC)


async def kept(edge: Edge, path: str, *records: dict[str, Any]) -> dict[str, Any]:
    """The first event that these become."""
    answer = await send(edge, path, {"batch": records})
    assert answer.status_code == 200, answer.text
    event = edge.parts.stream.events[0]
    return {**event, **{n: json.loads(event[n]) for n in ("metadata", "payload")}}


async def test_a_segment_call_becomes_an_event(edge: Edge):
    context = {"library": {"name": "ajs"}, "ip": "10.0.0.1", "sessionId": 17}
    call = a_call(context=context, properties={"price": 2.5}, anonymousId="anon", colour="red")
    event = await kept(edge, SEGMENT, call)
    assert (event["event_id"], event["event_type"], event["user_id"]) == ("m1", "Bought", "ada")
    assert (event["session_id"], event["source"], event["timestamp"]) == ("17", "ajs", AT)
    assert (event["payload"], dict(event["numbers"])) == ({"price": 2.5}, {"price": 2.5})
    assert event["metadata"] == {
        "source": "ajs",
        "library": {"name": "ajs"},
        "ip": "10.0.0.1",
        "call": "track",
        "anonymousId": "anon",
        "_extra": {"colour": "red"},
    }


@pytest.mark.parametrize(
    ("call", "kind", "payload"),
    [
        ({"type": "page", "name": "Home", "category": "Docs"}, "page", ["category", "name"]),
        ({"type": "screen", "properties": {"x": 1}}, "screen", ["x"]),
        ({"type": "group", "groupId": "g", "traits": {"x": 1}}, "group", ["groupId", "x"]),
        ({"type": "alias", "previousId": "anon"}, "alias", ["previousId"]),
        ({"type": "identify", "traits": {"x": 1}}, "customer.profile", ["x"]),
        ({"type": "identify"}, "identify", []),
        ({"type": "identify", "userId": None, "anonymousId": "a", "traits": {"x": 1}},
         "identify", ["x"]),
    ],
)  # fmt: skip
async def test_each_call_becomes_its_kind_of_event(edge: Edge, call, kind, payload):
    event = await kept(edge, SEGMENT, {**a_call(), **call})
    assert (event["event_type"], sorted(event["payload"])) == (kind, payload)


async def test_a_call_alone_need_not_say_what_it_is(edge: Edge):
    for kind in ("track", "page"):
        answer = await send(edge, f"/v1/{kind}", {**a_call(messageId=kind), "type": "other"})
        assert answer.json()["accepted"] == 1
    assert [e["event_type"] for e in edge.parts.stream.events] == ["Bought", "page"]


async def test_the_context_of_a_batch_is_that_of_its_messages(edge: Edge):
    document = {"batch": [a_call(context={"ip": "1"})], "context": {"ip": "0", "os": "x"}}
    await send(edge, SEGMENT, document)
    metadata = json.loads(edge.parts.stream.events[0]["metadata"])
    assert (metadata["ip"], metadata["os"]) == ("1", "x")


async def test_a_posthog_event_becomes_an_event(edge: Edge):
    properties = {"$lib": "web", "$lib_version": "1.2", "$session_id": "s1", "price": 2.5}
    event = await kept(edge, POSTHOG, a_capture(properties=properties, **{"$set": {"a": 1}}))
    assert (event["event_id"], event["event_type"], event["user_id"]) == ("u1", "bought", "ada")
    assert (event["session_id"], event["source"], event["timestamp"]) == ("s1", "web", AT)
    assert event["payload"] == {"price": 2.5}
    assert event["metadata"] == {"source": "web", "library_version": "1.2", "$set": {"a": 1}}


@pytest.mark.parametrize("path", ["/capture/", "/i/v0/e/", "/batch"])
@pytest.mark.parametrize("form", ["one", "list", "batch"])
async def test_posthogs_doors_take_one_event_a_list_or_a_batch(edge: Edge, path: str, form: str):
    one = a_capture(distinct_id=None, properties={"distinct_id": "ada"})
    document = {"one": one, "list": [one], "batch": {"batch": [one]}}[form]
    answer = await send(edge, path, document)
    assert (answer.status_code, answer.json()["status"]) == (200, 1)
    assert edge.parts.stream.events[0]["user_id"] == "ada"


@pytest.mark.parametrize(
    ("path", "document", "headers"),
    [
        (SEGMENT, {"batch": [a_call()]}, BASIC),
        (SEGMENT, {"batch": [a_call()], "writeKey": "evp_in"}, {}),
        (SEGMENT, {"batch": [a_call()]}, {"x-api-key": "evp_in"}),
        (POSTHOG, {"batch": [a_capture()], "api_key": "evp_in"}, {}),
        (POSTHOG, {**a_capture(), "token": "evp_in"}, {}),
        (POSTHOG, [a_capture(properties={"token": "evp_in"})], {}),
        (POSTHOG, {"batch": [a_capture()]}, {"authorization": "Bearer evp_in"}),
    ],
)
async def test_the_key_may_come_in_each_way_of_these_clients(edge, path, document, headers):
    answer = await edge.client.post(path, json=document, headers=headers)
    assert (answer.status_code, answer.json().get("accepted")) == (200, 1)


@pytest.mark.parametrize("key", ["evp_no", "", None, 7, "\udcff", "é" * 9])
@pytest.mark.parametrize("path", [SEGMENT, POSTHOG])
async def test_another_key_or_none_is_401(edge: Edge, path: str, key: Any):
    body = json.dumps({"batch": [], "writeKey": key, "api_key": key}).encode()
    headers = {"content-type": "application/json"}
    answer = await edge.client.post(path, content=body, headers=headers)
    assert answer.status_code in {400, 401}
    assert answer.status_code == 401 or key == "\udcff"


@pytest.mark.parametrize("value", ["Basic", "Basic %%%", "Basic /w==", "Digest x"])
async def test_a_broken_authorization_is_401(edge: Edge, value: str):
    answer = await send(edge, SEGMENT, {"batch": [a_call()]}, authorization=value)
    assert answer.status_code == 401


async def test_a_key_that_may_not_send_is_403_in_the_faces_form(edge: Edge):
    answer = await send(edge, SEGMENT, {"batch": [a_call()], "writeKey": "evp_out"}, x="1")
    assert (answer.status_code, answer.json()["code"]) == (403, "forbidden")
    answer = await send(edge, POSTHOG, {"batch": [a_capture()], "api_key": "evp_out"}, x="1")
    assert (answer.status_code, "ingest" in answer.json()["detail"]) == (403, True)


WRONG = [
    (SEGMENT, a_call(type="other"), "type"),
    (SEGMENT, a_call(event=None), "event"),
    (SEGMENT, a_call(event="x" * 101), "event"),
    (SEGMENT, a_call(userId=None), "userId"),
    (SEGMENT, a_call(userId=True), "userId"),
    (SEGMENT, a_call(userId="x" * 129), "userId"),
    (SEGMENT, a_call(messageId=["m"]), "messageId"),
    (SEGMENT, a_call(messageId="a\nb"), "messageId"),
    (SEGMENT, a_call(context=3), "context"),
    (SEGMENT, a_call(properties=[1]), "properties"),
    (SEGMENT, a_call(properties={"x": "y" * 40_000}), "properties"),
    (SEGMENT, a_call(timestamp="yesterday"), "timestamp"),
    (SEGMENT, a_call(timestamp=1_707_732_000), "timestamp"),
    (SEGMENT, a_call(timestamp="9999-12-31T23:59:59Z"), "timestamp"),
    (SEGMENT, "text", None),
    (POSTHOG, a_capture(event=""), "event"),
    (POSTHOG, a_capture(distinct_id=None), "distinct_id"),
    (POSTHOG, a_capture(properties="x"), "properties"),
    (POSTHOG, a_capture(timestamp="0000-00-00"), "timestamp"),
    (POSTHOG, a_capture(uuid={}), "uuid"),
    (POSTHOG, None, None),
]


@pytest.mark.parametrize(("path", "record", "field"), WRONG)
async def test_a_bad_record_does_not_sink_a_good_one_and_is_named(edge, path, record, field):
    good = a_call() if path == SEGMENT else a_capture()
    answer = await send(edge, path, {"batch": [good, record]})
    (rejected,) = answer.json()["rejected"]
    assert (answer.status_code, answer.json()["accepted"]) == (200, 1)
    assert (rejected["index"], rejected["field"]) == (1, field)


@pytest.mark.parametrize(("path", "said"), [(SEGMENT, "message"), (POSTHOG, "detail")])
@pytest.mark.parametrize(
    "document", [{"batch": []}, {"batch": 3}, {"batch": [{}]}, {}, [], [[]], 3, None, "x"]
)
async def test_a_body_without_a_good_record_is_400_in_the_faces_form(edge, path, said, document):
    answer = await send(edge, path, document)
    assert answer.status_code == 400
    assert answer.json()[said]


@pytest.mark.parametrize("body", [b"", b"{", b"\xff\xfe", b"[" * 100_000])
async def test_what_is_no_json_is_400(edge: Edge, body: bytes):
    for path in (SEGMENT, POSTHOG):
        headers = {**BASIC, "content-type": "application/json"}
        answer = await edge.client.post(path, content=body, headers=headers)
        assert answer.status_code == 400


async def test_a_stream_that_is_away_is_503_with_retry_after(edge: Edge):
    edge.parts.stream.error = IngestionUnavailable("away")
    for path, record in ((SEGMENT, a_call()), (POSTHOG, a_capture())):
        answer = await send(edge, path, {"batch": [record]})
        assert (answer.status_code, "retry-after" in answer.headers) == (503, True)


async def test_too_many_records_are_413(edge: Edge):
    answer = await send(edge, SEGMENT, {"batch": [a_call()] * 2501})
    assert answer.status_code == 413


async def test_a_key_in_the_body_is_counted_by_its_tier():
    async with running(keys=TieredKeys(), free_per_minute=1) as edge:
        document = {"batch": [a_capture(), a_capture(uuid="u2")], "api_key": "free"}
        answers = [await edge.client.post(POSTHOG, json=document) for _ in range(2)]
        other = await edge.client.post(POSTHOG, json=document | {"api_key": "free-2"})
    assert [answer.status_code for answer in (*answers, other)] == [200, 429, 200]
    assert "detail" in answers[1].json()
    assert "retry-after" in answers[1].headers
    assert [a.headers["x-ratelimit-remaining"] for a in (*answers, other)] == ["0", "0", "0"]


@pytest.mark.parametrize("path", ["/flags/?v=4", "/decide/?v=3", "/flags"])
async def test_there_are_no_flags_for_anybody(edge: Edge, path: str):
    answer = await edge.client.post(path, json={"distinct_id": "ada"})
    assert (answer.status_code, answer.json()["flags"]) == (200, {})


@pytest.mark.parametrize(
    ("behind", "put_right"), [(0, 0), (45, 0), (-45, 0), (3600, 3600), (3629, 3600), (-7200, -7200)]
)
def test_a_clock_is_put_right_by_whole_minutes(behind: int, put_right: int):
    received = datetime(2026, 1, 2, 12, tzinfo=UTC)
    clock = Clock(received, received - timedelta(seconds=behind))
    given = received - timedelta(days=1)
    assert clock.time(given) == given + timedelta(seconds=put_right)


async def test_an_event_of_a_clock_that_is_an_hour_behind_is_of_now(edge: Edge):
    hour_ago = (datetime.now(UTC) - timedelta(hours=1)).isoformat()
    document = {"batch": [a_call(timestamp=hour_ago)], "sentAt": hour_ago}
    await send(edge, SEGMENT, document)
    assert abs(edge.parts.stream.events[0]["timestamp"] / 1000 - time.time()) < 60


async def test_with_strict_settings_an_unknown_field_is_refused():
    async with running(strict=True) as edge:
        answer = await send(edge, SEGMENT, {"batch": [a_call(colour="red")]})
        assert (answer.status_code, answer.json()["field"]) == (400, "colour")


async def test_what_is_beside_these_paths_errs_as_its_own_face(edge: Edge):
    thedata = (await edge.client.post("/v1/ingest/events", json={})).json()
    assert set(thedata) == {"code", "message", "details"}
    assert set((await edge.client.get("/v1/track")).json()) >= {"success", "code", "message"}
