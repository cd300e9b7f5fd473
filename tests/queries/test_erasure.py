"""Who is erased is gone from rows and counts, as if he had never been; all others stay."""

import random
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta

import pyarrow as pa
import pytest

from service.accounts.erasures import Erasures
from service.erased import digest_of_user, key_of
from service.erasure.asking import values_of
from service.query.customers import PROFILE, Customers
from service.rollup import Rollup
from service.storage.protocol import Statement
from service.storage.statements import has_statement
from tests.building import NOON, TENANT, an_event
from tests.erasing import erase, opened_erasures
from tests.queries.test_retention import assert_left, put_and_roll
from tests.storing import a_group, put

OTHER = "env_other"


@pytest.fixture
async def erasures(tmp_path) -> AsyncIterator[Erasures]:
    async with opened_erasures(tmp_path) as opened:
        yield opened


def some_events(dice: random.Random, name: str, number: int = 60):
    """Of five users in sessions that some of them share, over ten days."""
    return [
        an_event(
            f"{name}{n}",
            timestamp=NOON
            - timedelta(minutes=dice.choice([1, 2, 16, 900, dice.random() * 14_000])),
            user_id=dice.choice("abcde"),
            session_id=dice.choice(["s1", "s2", "s3", f"own{n}"]),
            event_type=dice.choice(["click", "buy", "see"]),
        )
        for n in range(number)
    ]


def without(events, *users: str):
    return [event for event in events if event.user_id not in users]


@pytest.mark.parametrize("seed", range(4))
async def test_every_answer_is_the_one_of_those_who_are_left(store, erasures, seed):
    dice = random.Random(seed)
    rolled, raw, later, others = (some_events(dice, name) for name in ("r", "w", "l", "o"))
    await put_and_roll(store, rolled[:30])
    await put_and_roll(store, rolled[30:])
    await put_and_roll(store, others, tenant=OTHER)
    await put(store, raw)
    await erase(erasures, store, "a", "c")
    left = without(rolled + raw, "a", "c")
    await assert_left(store, left)
    await put_and_roll(store, later)
    await assert_left(store, left + later)
    await assert_left(store, others, OTHER)


async def test_profile_and_history_go_too_and_only_there(store, erasures):
    told = [an_event(f"{u}1", user_id=u, event_type=PROFILE, payload={"n": 1}) for u in "ab"]
    await put(store, told)
    await put(store, told, tenant=OTHER)
    await erase(erasures, store, "a")
    pages = [await Customers(store, 10).page(tenant) for tenant in (TENANT, OTHER)]
    assert [[c.user_id for c in page] for page in pages] == [["b"], ["a", "b"]]


async def test_it_is_told_how_much_was_erased_but_no_longer_of_whom(store, erasures):
    profile = an_event("p", user_id="a", event_type=PROFILE, payload={"n": 1})
    await put(store, [profile, an_event("e", user_id="a"), an_event("f", user_id="b")])
    await erase(erasures, store, "a")
    [erasure] = await erasures.latest(TENANT)
    assert (erasure.events, erasure.versions, erasure.user_id) == (2, 1, None)
    assert erasure.erased_at is not None


async def test_who_shares_a_digest_with_him_is_counted_as_before(store, erasures):
    events = [an_event(f"e{n}", after=n, user_id=user) for n, user in enumerate("abab")]
    group = a_group(await store.progress(), events)
    column = group.rows.schema.get_field_index("user_key")
    of_a = pa.array([key_of(digest_of_user(TENANT, "a"))] * len(events), pa.uint64())
    rows = group.rows.set_column(column, group.rows.schema.field(column), of_a)
    await store.append(replace(group, rows=rows))
    await Rollup(store).roll(least=1)
    await erase(erasures, store, "a")
    await assert_left(store, without(events, "a"))


async def test_the_writer_finds_nothing_lost_where_the_last_rows_were_his(store, erasures):
    await put_and_roll(store, [an_event("old", user_id="b")])
    progress = await put(store, [an_event("last", user_id="a")])
    await erase(erasures, store, "a")
    assert await store.progress() == progress


async def test_an_erasure_that_was_cut_short_is_made_whole_the_next_time(store, erasures):
    dice = random.Random(7)
    events = some_events(dice, "e")
    await put_and_roll(store, events)
    if has_statement("erase_minutes", store.dialect):  # the other engine's deletion is whole
        await store.execute(Statement("erase_minutes", values_of(TENANT, ["a"])))
    await erase(erasures, store, "a")
    await assert_left(store, without(events, "a"))


async def test_many_are_erased_a_few_at_a_time(store, erasures):
    events = [an_event(f"e{n}", after=n * 70, user_id=f"u{n}") for n in range(120)]
    await put_and_roll(store, events)
    await erase(erasures, store, *(f"u{n}" for n in range(1, 120)))
    await assert_left(store, events[:1])
