"""Events are told apart by what is known of their users now: `customer.<field>` in queries."""

import json

import msgspec

from service.query.cache import AnswerCache
from service.query.exports import Exports
from service.query.language.reading import read_question
from service.query.run import Questions
from service.settings import Settings
from service.storage.mark import Mark
from tests.building import TENANT, an_event
from tests.queries.test_customers import told
from tests.queries.test_exports import ids
from tests.queries.test_journeys import ask
from tests.storing import AStream, put

DAY = {"start": "2026-01-02T00:00:00Z", "end": "2026-01-03T00:00:00Z"}
MONEY = ["sum(payload.amount)", "count(payload.amount)"]


def paid(user: str, event_id: str, kind: str, **payload):
    return an_event(event_id, after=60, user_id=user, event_type=kind, payload=payload)


def asking(store) -> Questions:
    return Questions(store, AStream(), AnswerCache(0), Settings())


async def rows(store, tenant: str = TENANT, **query) -> list:
    """For each group its values, then its metrics."""
    question = read_question(json.dumps({"range": DAY, **query}).encode(), 0)
    served = await asking(store).query(tenant, question)
    found = msgspec.json.decode(served.document)["rows"]
    return [(*row["dimensions"].values(), *row["metrics"].values()) for row in found]


async def money(store, tenant: str = TENANT, **query) -> list:
    deposits = {"op": "is", "field": "eventType", "value": "deposit"}
    more = query.pop("filters", [])
    return await rows(store, tenant, metrics=MONEY, filters=[deposits, *more], **query)


async def put_players(store) -> None:
    people = [told("ada", "p1", country="DE", vip=True), told("bob", "p2", country="MT", age=30)]
    deposits = [paid("ada", "d1", "deposit", amount=500), paid("ada", "d2", "deposit", amount=25.5)]
    others = [paid("bob", "d3", "deposit", amount=7), paid("eve", "d4", "deposit", amount=1)]
    await put(store, [*people, *deposits, *others, paid("ada", "w1", "withdraw", amount=250)])
    await put(store, [told("ada", "x1", country="FR"), *deposits], tenant="env_other")


async def test_money_is_summed_by_a_field_of_the_customer(store):
    await put_players(store)
    assert await money(store, dimensions=["customer.country"]) == [
        ("DE", 525.5, 2),
        ("MT", 7.0, 1),
        (None, 1.0, 1),
    ]


async def test_deposits_withdrawals_and_wagers_are_numbers_like_any_other(store):
    await put_players(store)
    played = [
        paid("bob", f"g{n}", "gaming-activity", wager_amount=10, win_amount=n) for n in (0, 25)
    ]
    await put(store, played)
    sums = ["sum(payload.amount)", "sum(payload.wager_amount)", "sum(payload.win_amount)"]
    money = {"op": "in", "field": "eventType", "values": ["deposit", "withdraw", "gaming-activity"]}
    assert sorted(await rows(store, metrics=sums, dimensions=["eventType"], filters=[money])) == [
        ("deposit", 533.5, 0.0, 0.0),
        ("gaming-activity", 0.0, 20.0, 25.0),
        ("withdraw", 250.0, 0.0, 0.0),
    ]


async def test_a_filter_may_be_about_the_customer(store):
    await put_players(store)
    vip = [{"op": "is", "field": "customer.vip", "value": True}]
    assert await money(store, filters=vip) == [(525.5, 2)]
    grown = [{"op": "gte", "field": "customer.age", "value": 18}]
    assert await money(store, filters=grown) == [(7.0, 1)]


async def test_what_is_known_now_is_said_of_what_was_before(store):
    await put_players(store)
    await put(store, [told("ada", "p9", after=9999, country="AT")])
    assert (await money(store, dimensions=["customer.country"]))[0] == ("AT", 525.5, 2)


async def test_another_environments_customers_are_others(store):
    await put_players(store)
    found = await money(store, tenant="env_other", dimensions=["customer.country"])
    assert found == [("FR", 525.5, 2)]


async def test_a_funnel_may_be_of_some_customers(store):
    await put_players(store)
    steps = [{"event": "customer.profile"}, {"event": "deposit"}]
    de = [{"op": "is", "field": "customer.country", "value": "DE"}]
    for filters, users in (([], [2, 2]), (de, [1, 1])):
        found = await ask(store, "funnel", steps=steps, filters=filters, range=DAY)
        assert [step["users"] for step in found["rows"][0]["steps"]] == users


async def test_the_events_of_some_customers_may_be_had_as_they_are(store):
    await put_players(store)
    de = [{"op": "is", "field": "customer.country", "value": "DE"}]
    exports = Exports(store, Mark(await store.progress()), 10)
    found = await ids(exports, json.dumps({"range": DAY, "filters": de}))
    assert found == ["p1", "d1", "d2", "w1"]
