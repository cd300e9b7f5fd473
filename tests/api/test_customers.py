"""Customers over HTTP, from a real store."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from service.migrate import migrate
from service.query.customers import PROFILE, Customers
from tests.api.edge import KEY, TENANT, Edge, running
from tests.building import an_event
from tests.stores import STORES
from tests.storing import put


def told(user_id: str, after: int = 0, **profile):
    return an_event(
        f"{user_id}-{after}", after=after, user_id=user_id, event_type=PROFILE, payload=profile
    )


@pytest.fixture
async def edge(tmp_path: Path) -> AsyncIterator[Edge]:
    async with STORES["duckdb"](tmp_path) as store:
        await migrate(store)
        people = [told("a/b", plan="gold"), told("ada", plan="free"), told("ada", 60, plan="gold")]
        await put(store, people, tenant=TENANT)
        await put(store, [told("eve", plan="gold")], tenant="env_other")
        async with running(customers=Customers(store, 10)) as edge:
            yield edge


async def ask(edge: Edge, path: str, **parameters):
    return await edge.client.get(f"/api/v1/customers{path}", params=parameters, headers=KEY)


async def test_pages_lead_from_one_to_the_next(edge: Edge):
    first = (await ask(edge, "", limit=1)).json()["data"]
    second = (await ask(edge, "", limit=1, cursor=first["nextCursor"])).json()["data"]
    last = (await ask(edge, "", limit=1, cursor=second["nextCursor"])).json()["data"]
    assert [c["userId"] for page in (first, second) for c in page["customers"]] == ["a/b", "ada"]
    assert last == {"customers": [], "nextCursor": None}


async def test_a_page_may_ask_for_fields_of_the_profile(edge: Edge):
    found = (await ask(edge, "", where='{"plan":"gold"}')).json()["data"]["customers"]
    assert [(c["userId"], c["profile"]["plan"]) for c in found] == [
        ("a/b", "gold"),
        ("ada", "gold"),
    ]


async def test_one_customer_and_what_was_told_of_him(edge: Edge):
    now = (await ask(edge, "/ada")).json()["data"]
    versions = (await ask(edge, "/ada/history")).json()["data"]["versions"]
    assert (now["profile"], now["attributes"]) == ({"plan": "gold"}, {})
    assert [version["document"]["plan"] for version in versions] == ["gold", "free"]


@pytest.mark.parametrize("path", ["/nobody", "/eve", "/eve/history"])
async def test_who_is_not_there_and_who_is_another_tenants_are_404(edge: Edge, path: str):
    answer = await ask(edge, path)
    assert (answer.status_code, answer.json()["error"]["code"]) == (404, "NOT_FOUND")


@pytest.mark.parametrize(
    ("parameters", "field"),
    [
        ({"limit": "0"}, "limit"),
        ({"limit": "501"}, "limit"),
        ({"limit": "٣"}, "limit"),
        ({"cursor": "€"}, "cursor"),
        ({"cursor": "YQ"}, "cursor"),
        ({"where": "plan"}, "where"),
        ({"where": '{"plan":{}}'}, "where"),
        ({"country": "DE"}, "country"),
    ],
)
async def test_a_wrong_parameter_is_named(edge: Edge, parameters, field: str):
    answer = await ask(edge, "", **parameters)
    assert (answer.status_code, answer.json()["error"]["details"]["field"]) == (400, field)
