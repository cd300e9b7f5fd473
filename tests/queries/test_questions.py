"""What a caller of a question relies on, one sentence each."""

import msgspec
import pytest

from service.errors import QuestionTooBig
from service.query.cache import AnswerCache
from service.query.parameters import parse_metrics, parse_numbers
from service.query.run import Questions, ReceiptCounts
from service.receipts import Place
from service.rollup import Rollup
from service.settings import Settings
from service.storage.mark import Mark
from tests.building import NOON, TENANT, an_event
from tests.storing import AStream, put

NOW = int(NOON.timestamp() * 1000) + 600_000


@pytest.fixture(params=["raw", "rolled up"])
def rolled(request):
    """Whether what was put is rolled up before the question."""
    return request.param == "rolled up"


@pytest.fixture
def ask(store, rolled):
    async def ask(tenant=TENANT, **raw):
        if rolled:
            await Rollup(store).roll(least=1)
        served = await questions(store).metrics(tenant, parse_metrics(raw, NOW))
        return msgspec.json.decode(served.document)

    return ask


def questions(store, stream=None, mark=None, **settings):
    return Questions(store, stream or AStream(), AnswerCache(0), Settings(**settings), mark)


async def test_time_is_event_time_not_the_time_of_receipt_or_storing(store, ask):
    await put(store, [an_event("e1"), an_event("e2", after=-86_400)])
    assert (await ask(timeRange="1h"))["totalEvents"] == 1
    assert (await ask(timeRange="7d"))["totalEvents"] == 2


async def test_both_filters_hold_for_every_block(store, ask):
    wanted = [an_event(f"e{n}", user_id="ada", session_id=f"s{n}") for n in range(3)]
    others = [
        an_event("o1", user_id="ada", event_type="view", session_id="o"),
        an_event("o2", user_id="bob", session_id="o"),
    ]
    await put(store, wanted, others)
    answer = await ask(timeRange="1h", eventType="click", userId="ad")
    assert answer["totalEvents"] == 3
    assert answer["eventsByType"] == [{"eventType": "click", "count": 3, "percentage": 100.0}]
    assert [(u["userId"], u["eventCount"]) for u in answer["topUsers"]] == [("ada", 3)]
    assert answer["topUsers"][0]["eventTypes"] == ["click"]
    assert sum(bucket["count"] for bucket in answer["eventsOverTime"]) == 3
    assert (answer["uniqueUsers"], answer["uniqueSessions"]) == (1, 3)
    assert answer["avgEventsPerUser"] == 3


async def test_sessions_are_counted_once_each_however_long_they_last(store, ask):
    long = [an_event(f"e{n}", after=-3600 * n, session_id="long") for n in range(5)]
    await put(store, long, [an_event("x", session_id="short")])
    assert (await ask(timeRange="24h"))["uniqueSessions"] == 2
    assert (await ask(timeRange="15m"))["uniqueSessions"] == 2


async def test_an_event_of_nobody_is_counted_but_neither_as_a_user_nor_as_a_session(store, ask):
    of_nobody = [an_event(f"n{n}", user_id="", session_id="", after=-3600 * n) for n in range(5)]
    await put(store, of_nobody, [an_event("x", user_id="ada", session_id="s")])
    answer = await ask(timeRange="24h")
    assert (answer["totalEvents"], answer["uniqueUsers"], answer["uniqueSessions"]) == (6, 1, 1)
    assert [user["userId"] for user in answer["topUsers"]] == ["ada"]
    assert (await ask(timeRange="24h", eventType="click"))["uniqueUsers"] == 1


@pytest.mark.parametrize(("name", "buckets"), [("15m", 16), ("1h", 13), ("24h", 97), ("7d", 85)])
async def test_every_bucket_is_there_the_empty_ones_too(store, rolled, name, buckets):
    await put(store, [an_event("e1")])
    if rolled:
        await Rollup(store).roll(least=1)
    served = await questions(store).metrics(TENANT, parse_metrics({"timeRange": name}, NOW + 1))
    over_time = msgspec.json.decode(served.document)["eventsOverTime"]
    assert len(over_time) == buckets
    assert [b["count"] for b in over_time if b["count"]] == [1]


async def test_a_range_without_events_is_all_zeros(ask):
    answer = await ask(timeRange="1h")
    assert sum(bucket["count"] for bucket in answer.pop("eventsOverTime")) == 0
    del answer["timeRange"]
    assert answer == {
        "totalEvents": 0,
        "eventsByType": [],
        "topUsers": [],
        "avgEventsPerUser": 0.0,
        "uniqueUsers": 0,
        "uniqueSessions": 0,
    }


async def test_a_tenant_sees_its_own_events_only(store, ask):
    await put(store, ["e1"], tenant="env_other")
    assert (await ask())["totalEvents"] == 0
    assert (await ask("env_other"))["totalEvents"] == 1


async def test_equally_active_users_stand_in_the_order_of_their_ids(store, ask):
    names = ["d", "b", "c", "a", "B"]
    await put(store, [an_event(f"e{n}", user_id=name) for n, name in enumerate(names)])
    top = (await ask(limit="3"))["topUsers"]
    assert [user["userId"] for user in top] == ["B", "a", "b"]


async def test_a_user_is_shown_with_his_types_and_his_last_moment(store, ask):
    views = [an_event(f"v{n}", user_id="ada", event_type="view", after=n - 1000) for n in (1, 9, 5)]
    clicks = [an_event("c1", user_id="ada", after=-1000), an_event("b1", user_id="bob", after=0)]
    await put(store, views, clicks)
    [ada, _] = (await ask(timeRange="1h"))["topUsers"]
    assert (ada["eventCount"], ada["eventTypes"]) == (4, ["view", "click"])
    assert ada["lastEventAt"] == "2026-01-02T11:43:29Z"


async def test_the_start_is_in_the_range_and_the_end_is_not(store, ask):
    await put(store, [an_event("e1"), an_event("e2", after=60)])
    answer = await ask(start="2026-01-02T12:00:00Z", end="2026-01-02T12:01:00Z")
    assert answer["totalEvents"] == 1


async def test_an_answer_is_as_of_now_when_the_store_has_reached_the_stream(store):
    mark = Mark(await put(store, ["e1"]))
    served = await questions(store, AStream(1), mark).metrics(TENANT, parse_metrics({}, NOW))
    assert served.as_of > NOW
    assert served.position == 1


@pytest.mark.parametrize("stream", [AStream(2), AStream(None), AStream(1, "another")])
async def test_otherwise_it_is_as_of_the_last_stored_message(store, stream):
    mark = Mark(await put(store, ["e1"]))
    served = await questions(store, stream, mark).metrics(TENANT, parse_metrics({}, NOW))
    assert served.as_of == 1000


async def test_a_question_past_its_time_is_too_big(store):
    await put(store, ["e1"])
    with pytest.raises(QuestionTooBig):
        await questions(store, query_timeout=0.0).metrics(TENANT, parse_metrics({}, NOW))


async def test_numbers_are_summed_up_by_what_is_asked_for(store):
    await put(
        store,
        [
            an_event("e1", user_id="ada", payload={"price": 1}),
            an_event("e2", user_id="ada", payload={"price": 2.5}),
            an_event("e3", user_id="bob", payload={"price": -1}),
            an_event("e4", user_id="bob", payload={"price": "7", "weight": 1}),
        ],
    )
    by_user = await numbers(store, name="price", by="userId")
    ada = {"key": "ada", "count": 2, "sum": 3.5, "avg": 1.75, "min": 1.0, "max": 2.5}
    assert by_user[0] == ada
    assert [row["count"] for row in await numbers(store, name="price")] == [3]
    assert [row["key"] for row in await numbers(store, name="weight", by="eventType")] == ["click"]
    assert await numbers(store, name="height") == []
    assert len(await numbers(store, name="price", userId="bo", by="userId")) == 1


async def numbers(store, **raw):
    served = await questions(store).numbers(TENANT, parse_numbers(raw, NOW))
    return msgspec.json.decode(served.document)["rows"]


async def test_stats_count_the_tenant_and_the_last_minute(store, rolled):
    await put(store, ["e1", "e2"], tenant="env_other")
    await put(store, ["e1", "e2", "e3"])
    if rolled:
        await Rollup(store).roll(least=1)
    stats = await questions(store).stats(TENANT)
    assert (stats.total_ingested, stats.ingestion_rate) == (3, 0.0)


async def test_a_receipt_is_counted_by_its_place(store):
    await put(store, ["e1", "e2", "e3", "e4"])
    asked = questions(store)
    assert await asked.receipt_counts(TENANT, Place(1, 1, 5)) == ReceiptCounts(3, 2)
    assert await asked.receipt_counts("env_other", Place(1, 0, 4)) == ReceiptCounts(0, 4)
