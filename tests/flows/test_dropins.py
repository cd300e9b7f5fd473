"""The published clients of Segment and of PostHog, as they are, against the whole service."""

import asyncio
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import posthog
import pytest
import segment.analytics

from headrace import Client, Is, Query
from tests.whole import Whole, the_whole_service

KEY = "evp_a-fixed-key-for-tests-0123456789abcdef"
EARLIER = datetime.now(UTC) - timedelta(hours=1)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Whole]:
    with the_whole_service(
        tmp_path_factory.mktemp("whole") / "data", bootstrap_api_key=KEY
    ) as whole:
        yield whole


def a_segment(whole: Whole, **options: Any) -> Any:
    errors: list[Any] = []
    known = {"host": whole.url, "on_error": lambda error, items: errors.append(error)}
    client = segment.analytics.Client(KEY, **known, **options)
    client.errors = errors
    return client


def a_posthog(whole: Whole, key: str = KEY, **options: Any) -> Any:
    errors: list[Any] = []
    known = {"host": whole.url, "on_error": lambda error, items: errors.append(error)}
    client = posthog.Posthog(key, **known, **options)
    client.errors = errors
    return client


def counted(whole: Whole, kind: str, *dimensions: str) -> list[dict[str, Any]]:
    """What is counted of a type once everything is: each group's values, and how many."""

    async def ask() -> list[dict[str, Any]]:
        asked = Query(
            metrics=["events"],
            dimensions=list(dimensions),
            filters=[Is("eventType", kind)],
            range="4w",
            order=list(dimensions),
        )
        async with Client(whole.url, KEY) as client:
            flush = await client.send([a_marker()])
            rows = (await client.query(asked, after=flush.receipts[0])).rows
        return [{**row.dimensions, **row.metrics} for row in rows]

    return asyncio.run(ask())


def a_marker() -> dict[str, Any]:
    now = datetime.now(UTC).isoformat()
    return {"eventType": "marker", "userId": "m", "sessionId": "m", "timestamp": now}


@pytest.mark.parametrize("gzip", [False, True])
@pytest.mark.parametrize("sync_mode", [False, True])
def test_what_segments_client_tracks_is_counted(whole: Whole, gzip: bool, sync_mode: bool):
    client, kind = a_segment(whole, gzip=gzip, sync_mode=sync_mode), f"tracked {gzip} {sync_mode}"
    for number in range(3):
        client.track("ada", kind, {"price": number}, context={"ip": "10.0.0.1"})
    if not sync_mode:
        client.shutdown()
    rows = counted(whole, kind, "userId", "source", "metadata.ip", "payload.price")
    assert client.errors == []
    assert [row.pop("payload.price") for row in rows] == [0, 1, 2]
    expected = {"userId": "ada", "source": "analytics-python", "metadata.ip": "10.0.0.1"}
    assert rows == [expected | {"events": 1}] * 3


def test_every_call_of_segments_client_is_taken(whole: Whole):
    client = a_segment(whole)
    client.page("cyd", "Docs", "Home", {"url": "/"})
    client.screen(anonymous_id="anon", name="Start")
    client.group("cyd", "g1", {"name": "Initech"})
    client.alias("anon", "cyd")
    client.identify("cyd")
    client.shutdown()
    assert client.errors == []
    assert counted(whole, "page", "payload.name", "payload.category")[0]["payload.name"] == "Home"
    assert counted(whole, "screen", "userId")[0]["userId"] == "anon"
    assert counted(whole, "group", "payload.groupId")[0]["payload.groupId"] == "g1"
    assert counted(whole, "alias", "payload.previousId")[0]["payload.previousId"] == "anon"
    assert counted(whole, "identify", "userId")[0]["userId"] == "cyd"


async def test_whom_segments_client_identifies_is_a_customer(whole: Whole):
    client = a_segment(whole)
    client.identify("eve", {"plan": "gold"}, timestamp=EARLIER)
    await asyncio.to_thread(client.shutdown)
    async with Client(whole.url, KEY) as asking:
        await asking.counted((await asking.send([a_marker()])).receipts)
        assert (await asking.customer("eve")).profile == {"plan": "gold"}


def test_a_message_that_segments_client_sends_again_counts_once(whole: Whole):
    for _ in range(2):
        client = a_segment(whole, sync_mode=True)
        client.track("ada", "sent again", message_id="m-1", timestamp=EARLIER)
    assert counted(whole, "sent again") == [{"events": 1}]


def test_segments_client_is_told_why_a_key_does_not_do(whole: Whole):
    client = segment.analytics.Client("wrong", host=whole.url, sync_mode=True)
    with pytest.raises(segment.analytics.request.APIError, match="invalid_api_key"):
        client.track("ada", "never")


@pytest.mark.parametrize("gzip", [False, True])
@pytest.mark.parametrize("sync_mode", [False, True])
def test_what_posthogs_client_captures_is_counted(whole: Whole, gzip: bool, sync_mode: bool):
    client, kind = a_posthog(whole, gzip=gzip, sync_mode=sync_mode), f"kept {gzip} {sync_mode}"
    for number in range(3):
        properties = {"price": number, "$session_id": "s1"}
        client.capture(kind, distinct_id="ada", properties=properties)
    client.shutdown()
    rows = counted(whole, kind, "userId", "sessionId", "source", "payload.price")
    assert client.errors == []
    assert [row.pop("payload.price") for row in rows] == [0, 1, 2]
    expected = {"userId": "ada", "sessionId": "s1", "source": "posthog-python", "events": 1}
    assert rows == [expected] * 3


def test_an_event_that_posthogs_client_sends_again_counts_once(whole: Whole):
    uuid = str(uuid4())
    for _ in range(2):
        client = a_posthog(whole, sync_mode=True)
        client.capture("posted again", distinct_id="ada", uuid=uuid, timestamp=EARLIER)
    assert counted(whole, "posted again") == [{"events": 1}]


def test_what_posthogs_client_says_of_people_and_groups_is_kept(whole: Whole):
    client = a_posthog(whole, sync_mode=True)
    client.set(distinct_id="ada", properties={"plan": "gold"})
    client.group_identify("company", "id:5", {"name": "Initech"})
    client.alias("anon", "ada")
    assert counted(whole, "$set", "metadata.$set.plan")[0]["metadata.$set.plan"] == "gold"
    assert counted(whole, "$groupidentify") == [{"events": 1}]
    assert counted(whole, "$create_alias", "userId")[0]["userId"] == "anon"


def test_posthogs_client_finds_no_flags_and_goes_on(whole: Whole):
    client = a_posthog(whole, sync_mode=True)
    assert client.evaluate_flags("ada").keys == []


def test_posthogs_client_is_told_why_a_key_does_not_do(whole: Whole, caplog):
    a_posthog(whole, "wrong", sync_mode=True).capture("never", distinct_id="ada")
    assert "the API key is unknown, expired or revoked (401)" in caplog.text
