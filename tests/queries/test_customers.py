"""What is known of customers, on both engines."""

import msgspec
import pytest

from service.errors import NotFound
from service.query.customers import ATTRIBUTES, PROFILE, Customers
from service.rollup import Rollup
from tests.building import TENANT, an_event
from tests.storing import put


def told(user_id: str, event_id: str, after: int = 0, **profile):
    return an_event(event_id, after=after, user_id=user_id, event_type=PROFILE, payload=profile)


def attributed(user_id: str, event_id: str, name: str, after: int = 0, **data):
    payload = {"list_name": name, "ext_data": data}
    return an_event(event_id, after=after, user_id=user_id, event_type=ATTRIBUTES, payload=payload)


@pytest.fixture
def customers(store) -> Customers:
    return Customers(store, 10)


def profiles(found) -> list:
    return [(c.user_id, msgspec.json.decode(c.profile)) for c in found]


async def test_the_latest_time_wins_whatever_comes_last(store, customers):
    await put(store, [told("ada", "e1", after=60, plan="gold"), told("ada", "e2", plan="free")])
    assert profiles(await customers.page(TENANT)) == [("ada", {"plan": "gold"})]


async def test_of_equal_times_the_last_received_wins(store, customers):
    await put(store, [told("ada", "e1", plan="free")], [told("ada", "e2", plan="gold")])
    assert profiles(await customers.page(TENANT)) == [("ada", {"plan": "gold"})]


async def test_a_repeat_leaves_one_version(store, customers):
    await put(store, [told("ada", "e1", plan="gold"), "other event"])
    assert len(await customers.history(TENANT, "ada")) == 1


async def test_attributes_stand_beside_the_profile_under_their_list(store, customers):
    await put(
        store,
        [told("ada", "e1", plan="gold"), attributed("ada", "e2", "risk", score=1)],
        [attributed("ada", "e3", "risk", after=5, score=2), attributed("ada", "e4", "crm", id="7")],
    )
    found = await customers.find(TENANT, "ada")
    assert msgspec.json.decode(found.profile) == {"plan": "gold"}
    attributes = {name: msgspec.json.decode(data) for name, data in found.attributes.items()}
    assert attributes == {"risk": {"score": 2}, "crm": {"id": "7"}}


async def test_pages_follow_the_ids_and_hold_every_customer_once(store, customers):
    await put(store, [told(f"u{n}", f"e{n}", n=n) for n in range(7)])
    seen, after = [], ""
    while page := await customers.page(TENANT, after, 3):
        seen += [customer.user_id for customer in page]
        after = page[-1].user_id
    assert seen == [f"u{n}" for n in range(7)]


@pytest.mark.parametrize(
    ("wanted", "ids"),
    [
        ({"plan": "gold"}, ["ada", "bob"]),
        ({"plan": "gold", "vip": "true"}, ["bob"]),
        ({"age": "41"}, ["ada"]),
        ({"plan": "free"}, []),
        ({"o'brien/~": "x"}, ["eve"]),
        ({"no": ""}, []),
    ],
)
async def test_a_page_may_ask_for_fields_of_the_latest_profile(store, customers, wanted, ids):
    await put(
        store,
        [
            told("ada", "e1", plan="free"),
            told("ada", "e2", after=9, plan="gold", age=41),
            told("bob", "e3", plan="gold", vip=True),
            told("eve", "e4", **{"o'brien/~": "x"}),
        ],
    )
    found = await customers.page(TENANT, fields=wanted)
    assert [customer.user_id for customer in found] == ids


async def test_another_tenant_knows_nothing_of_them(store, customers):
    await put(store, [told("ada", "e1", plan="gold")], tenant="env_other")
    assert await customers.page(TENANT) == []
    with pytest.raises(NotFound):
        await customers.find(TENANT, "ada")


async def test_verify_sees_that_every_telling_is_kept(store):
    await put(store, [told("ada", "e1", plan="gold"), "e2", attributed("ada", "e3", "risk", a=1)])
    rollup = Rollup(store)
    await rollup.roll(least=1)
    findings = {f.name: (f.expected, f.found) for f in await rollup.verify()}
    assert findings["customers"] == (2, 2)
    assert findings["customers: differing"] == (0, 0)


async def named(customers, telling):
    """The event that a telling becomes, with its id."""
    telling.event_id = None
    await customers.name_tellings(TENANT, [telling])
    return telling


async def test_told_again_at_once_or_once_stored_it_is_the_same_event(store, customers):
    first = await named(customers, told("ada", "", plan="gold"))
    again = await named(customers, told("ada", "", plan="gold"))
    await put(store, [first])
    late = await named(customers, told("ada", "", plan="gold"))
    assert first.event_id == again.event_id == late.event_id


async def test_changed_and_changed_back_are_three_versions(store, customers):
    for plan in ("gold", "free", "gold"):
        await put(store, [await named(customers, told("ada", "", plan=plan))])
    assert profiles(await customers.page(TENANT)) == [("ada", {"plan": "gold"})]
    assert len(await customers.history(TENANT, "ada")) == 3


async def test_each_list_of_attributes_has_versions_of_its_own(store, customers):
    risk = await named(customers, attributed("ada", "", "risk", score=1))
    crm = await named(customers, attributed("ada", "", "crm", score=1))
    await put(store, [risk, crm])
    again = await named(customers, attributed("ada", "", "crm", score=1))
    assert risk.event_id != crm.event_id == again.event_id
