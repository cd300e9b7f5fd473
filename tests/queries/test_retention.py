"""What an environment no longer keeps is deleted by whole days, rows and counts alike."""

import asyncio
from collections.abc import Mapping
from datetime import timedelta

import msgspec

from service.ending import cancelled
from service.errors import AccountsUnavailable
from service.query.cache import AnswerCache
from service.query.customers import PROFILE, Customers
from service.query.parameters import parse_metrics
from service.query.run import Questions
from service.retention import DAY, Retention
from service.rollup import Rollup
from service.settings import Settings
from service.storage.protocol import Statement
from service.storage.statements import has_statement
from tests.building import NOON, TENANT, an_event
from tests.queries.naive import naive_metrics
from tests.storing import AStream, put

NOW = int(NOON.timestamp() * 1000)
MIDNIGHT = NOON - timedelta(hours=12)
START, END = NOW - 20 * DAY, NOW + DAY
MS = timedelta(milliseconds=1)


def at(moment, event_id: str, session: str = "s1", **fields):
    return an_event(event_id, timestamp=moment, session_id=session, **fields)


def days_ago(days: float, event_id: str, session: str = "s1"):
    return at(NOON - timedelta(days=days), event_id, session)


def keeping(store, days: Mapping[str, int], later: int = 0, piece: int = 500_000) -> Retention:
    """As it works on noon, or some days later."""

    async def read_days():
        return days

    return Retention(store, Rollup(store), read_days, lambda: NOW + later * DAY, piece)


async def put_and_roll(store, *batches, tenant: str = TENANT) -> None:
    await put(store, *batches, tenant=tenant)
    await Rollup(store).roll(least=1)


async def assert_left(store, events, tenant: str = TENANT) -> None:
    """Every answer is the one of these events alone, and verifying agrees."""
    raw = {"start": "2025-12-13T12:00:00Z", "end": "2026-01-03T12:00:00Z", "interval": "1d"}
    questions = Questions(store, AStream(), AnswerCache(0), Settings())
    served = await questions.metrics(tenant, parse_metrics(raw, NOW))
    expected = naive_metrics(events, START, END, DAY, "UTC")
    assert msgspec.json.decode(served.document) == expected
    assert [f for f in await Rollup(store).verify() if not f.ok] == []


async def test_a_day_stays_whole_until_it_is_older_than_the_days_kept(store):
    edge = MIDNIGHT - timedelta(days=2)
    kept = [at(edge, "first of its day"), at(NOON, "today")]
    await put_and_roll(store, [at(edge - MS, "last of the day before"), *kept])
    assert await keeping(store, {TENANT: 2}).expire() == 1
    await assert_left(store, kept)
    assert await keeping(store, {TENANT: 3}, later=1).expire() == 0
    assert await keeping(store, {TENANT: 2}, later=1).expire() == 1
    await assert_left(store, kept[1:])


async def test_other_environments_keep_what_is_theirs(store):
    events = [days_ago(n, f"e{n}", f"s{n % 3}") for n in range(15)]
    for tenant in ("env_short", "env_long", "env_ever"):
        await put_and_roll(store, events, tenant=tenant)
    assert await keeping(store, {"env_short": 1, "env_long": 9}).expire() == 13 + 5
    await assert_left(store, events[:2], "env_short")
    await assert_left(store, events[:10], "env_long")
    await assert_left(store, events, "env_ever")


async def test_a_second_time_nothing_is_left_to_delete(store):
    await put_and_roll(store, [days_ago(5, "old"), days_ago(0, "new")])
    retention = keeping(store, {TENANT: 1})
    assert [await retention.expire() for _ in range(2)] == [1, 0]


async def test_a_changed_setting_counts_from_then_on(store):
    events = [days_ago(n, f"e{n}") for n in range(12)]
    await put_and_roll(store, events)
    assert await keeping(store, {}).expire() == 0
    assert await keeping(store, {TENANT: 8}).expire() == 3
    assert await keeping(store, {TENANT: 3}).expire() == 5
    assert await keeping(store, {TENANT: 10}).expire() == 0
    await assert_left(store, events[:4])


async def test_sessions_that_go_on_past_the_boundary_are_counted_where_they_are_left(store):
    first = [days_ago(6, "a1", "a"), days_ago(6, "b1", "b"), days_ago(5, "c1", "c")]
    kept = [days_ago(1, "a2", "a"), days_ago(0.5, "a3", "a"), days_ago(0, "c2", "c")]
    await put_and_roll(store, first)
    await put_and_roll(store, [days_ago(4, "c3", "c"), *kept[1::-1]])
    await put_and_roll(store, kept[2:])
    assert await keeping(store, {TENANT: 2}).expire() == 4
    await assert_left(store, kept)
    await put_and_roll(store, [late := days_ago(2, "a4", "a")])
    await assert_left(store, [*kept, late])


async def test_rows_that_are_not_rolled_up_yet_expire_too(store):
    await put_and_roll(store, [days_ago(6, "a", "a"), days_ago(1, "b", "b")])
    await put(store, [days_ago(6, "c", "a"), days_ago(3, "d", "c"), days_ago(0, "e", "c")])
    assert await keeping(store, {TENANT: 2}).expire() == 3
    kept = [days_ago(1, "b", "b"), days_ago(0, "e", "c")]
    await assert_left(store, kept)
    await Rollup(store).roll(least=1)
    await assert_left(store, kept)


async def test_what_comes_too_late_is_stored_and_expires_like_the_rest(store):
    await put_and_roll(store, [days_ago(9, "late"), days_ago(0, "new")])
    retention = keeping(store, {TENANT: 2})
    assert await retention.expire() == 1
    await put_and_roll(store, [days_ago(9, "late")])
    await put_and_roll(store, [days_ago(0, "newer")])
    assert await retention.expire() == 1
    await assert_left(store, [days_ago(0, "new"), days_ago(0, "newer")])


async def test_it_deletes_in_pieces_of_whole_days(store):
    await put_and_roll(store, [days_ago(n // 3, f"e{n}", f"s{n % 7}") for n in range(45)])
    assert await keeping(store, {TENANT: 4}, piece=5).expire() == 30
    await assert_left(store, [days_ago(n // 3, f"e{n}", f"s{n % 7}") for n in range(15)])


async def test_a_deletion_that_was_cut_short_is_finished_the_next_time(store):
    await put_and_roll(store, [days_ago(6, "old", "o"), days_ago(0, "new", "n")])
    gone = {"tenants": [TENANT], "before": NOW - NOW % DAY - 2 * DAY}
    if has_statement("free_expired", store.dialect):  # the other engine's deletion is whole
        steps = ("expire_events", "expire_users_by_day")
        await store.execute(*(Statement(step, gone) for step in steps))
        assert [f for f in await Rollup(store).verify() if not f.ok] != []
    await keeping(store, {TENANT: 2}).expire()
    await assert_left(store, [days_ago(0, "new", "n")])


async def test_the_writer_finds_nothing_lost_where_all_has_expired(store):
    await put_and_roll(store, [days_ago(9, "old")])
    progress = await put(store, [days_ago(6, "newer"), days_ago(5, "last")])
    await keeping(store, {TENANT: 2}).expire()
    assert await store.progress() == progress
    await put_and_roll(store, [days_ago(0, "new")])
    await keeping(store, {TENANT: 2}).expire()
    await assert_left(store, [days_ago(0, "new")])


async def test_the_customers_of_a_deleted_environment_go_and_no_others(store):
    told = [an_event("p", event_type=PROFILE, payload={"n": 1})]
    for tenant in ("env_gone", "env_kept"):
        await put(store, told, tenant=tenant)

    async def read_gone():
        return ["env_gone", "env_without_any"]

    retention = Retention(store, Rollup(store), keeping, read_gone=read_gone)
    for _ in range(2):
        await retention.forget_gone()
        pages = [await Customers(store, 10).page(t) for t in ("env_gone", "env_kept")]
        assert [[c.user_id for c in page] for page in pages] == [[], ["ada"]]


async def test_a_failure_is_tried_again(store):
    await put_and_roll(store, [days_ago(9, "old"), days_ago(0, "new")])
    asked = []

    async def read_days():
        asked.append("")
        if len(asked) < 3:
            raise AccountsUnavailable("away")
        return {TENANT: 1}

    retention = Retention(store, Rollup(store), read_days, lambda: NOW)
    working = asyncio.create_task(retention.keep(pause=0.01))
    while len(asked) < 5:
        await asyncio.sleep(0.01)
    await cancelled(working)
    await assert_left(store, [days_ago(0, "new")])
