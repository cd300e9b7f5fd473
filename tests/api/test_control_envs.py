"""Environments over HTTP: whose they are, what their owners set, and when they may go."""

from typing import Any

import pytest

from service.accounts.environments import DEFAULT_ENVIRONMENT
from tests.api.control import (
    BOB,
    EVE,
    Person,
    an_environment,
    complaint,
    proven,
    registered,
)
from tests.api.edge import Edge
from tests.signing import Accounts


@pytest.fixture
async def bob(house: Edge, ada: Person) -> Person:
    """Somebody in no way special."""
    return await registered(house, BOB)


@pytest.fixture
async def eve(house: Edge, bob: Person) -> Person:
    """A stranger to him."""
    return await registered(house, EVE)


async def names(person: Person, query: str = "") -> list[str]:
    return [e["name"] for e in (await person.get(f"/api/envs/{query}")).json()["items"]]


async def test_making_one_answers_it_as_the_document_says_it(bob: Person):
    wanted = {"name": "production-environment", "description": "Production", "use_retention": True}
    answer = await bob.post("/api/envs/", wanted)
    assert answer.status_code == 201
    made = answer.json()
    assert {**made, **wanted, "retention_configuration": None} == made
    found = await bob.get(f"/api/envs/{made['id']}")
    assert (found.status_code, found.json()) == (200, made)


async def test_its_maker_works_there_from_then_on(bob: Person):
    first = await an_environment(bob, "first")
    assert (await bob.get("/api/users/me")).json()["active_env_id"] == first
    second = await an_environment(bob, "second")
    assert (await bob.get("/api/auth/me")).json()["data"]["environmentId"] == second


async def test_a_name_is_there_once(bob: Person, eve: Person):
    await an_environment(bob)
    answer = await eve.post("/api/envs/", {"name": "production"})
    assert (answer.status_code, set(answer.json())) == (409, {"detail"})


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "name"),
        ({"name": ""}, "name"),
        ({"name": " x"}, "name"),
        ({"name": "x" * 129}, "name"),
        ({"name": "a\nb"}, "name"),
        ({"name": 7}, "name"),
        ({"name": "x", "description": "x" * 1001}, "description"),
        ({"name": "x", "description": "\x00"}, "description"),
        ({"name": "x", "use_retention": "yes"}, "use_retention"),
        ({"name": "x", "retention_configuration": {"days": 0}}, "retention_configuration"),
        ({"name": "x", "retention_configuration": {"weeks": 1}}, "weeks"),
        ({"name": "x", "public_metrics": None}, "public_metrics"),
    ],
)
async def test_what_will_not_do_is_422_and_names_the_field(bob: Person, body: Any, field: str):
    answer = await bob.post("/api/envs/", body)
    assert complaint(answer)[:2] == (422, ["body", field])


async def test_another_person_sees_none_of_it(bob: Person, eve: Person):
    env = await an_environment(bob)
    assert await names(eve) == []
    for answer in (
        await eve.get(f"/api/envs/{env}"),
        await eve.get("/api/envs/filter-one?name=production"),
        await eve.get(f"/api/envs/{env}/members"),
        await eve.patch(f"/api/envs/{env}", {"name": "mine"}),
        await eve.delete(f"/api/envs/{env}"),
        await eve.delete(f"/api/envs/{env}/members/{bob.id}"),
    ):
        assert (answer.status_code, set(answer.json())) == (404, {"detail"}), answer.text
    assert await names(bob) == ["production"]


async def test_a_superuser_sees_and_changes_all(ada: Person, bob: Person):
    env = await an_environment(bob)
    assert await names(ada) == ["default", "production"]
    changed = await ada.patch(f"/api/envs/{env}", {"description": "theirs"})
    assert (changed.status_code, changed.json()["description"]) == (200, "theirs")


async def test_one_is_found_by_its_name(bob: Person):
    env = await an_environment(bob, "müller & co")
    found = await bob.get("/api/envs/filter-one?name=m%C3%BCller%20%26%20co")
    assert found.json()["id"] == env
    assert (await bob.get("/api/envs/filter-one?name=other")).status_code == 404
    assert complaint(await bob.get("/api/envs/filter-one")) == (
        422,
        ["query", "name"],
        "value_error.missing",
    )


async def test_pages_are_counted_from_one_and_from_nothing(bob: Person):
    for n in range(5):
        await an_environment(bob, f"env {n}")
    page = (await bob.get("/api/envs/?skip=2&limit=2")).json()
    assert [e["name"] for e in page.pop("items")] == ["env 2", "env 3"]
    assert page == {"total": 5, "page": 2, "size": 2, "pages": 3}
    assert await names(bob, "?page=3&size=2") == ["env 4"]
    assert await names(bob, "?search=V%204") == ["env 4"]
    assert await names(bob, "?search=%25") == []


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("limit=501", "limit"),
        ("limit=0", "limit"),
        ("skip=-1", "skip"),
        ("page=0", "page"),
        ("size=1e2", "size"),
        ("page=1&skip=1", "skip"),
        ("offset=1", "offset"),
        ("page=99999999999", "page"),
    ],
)
async def test_a_page_that_makes_no_sense_is_422(bob: Person, query: str, field: str):
    assert complaint(await bob.get(f"/api/envs/?{query}"))[:2] == (422, ["query", field])


async def test_retention_is_heeded_while_it_is_used(bob: Person, accounts: Accounts):
    env = await an_environment(bob, use_retention=True)
    assert await accounts.environments.days_kept() == {}
    changes = {"retention_configuration": {"days": 30}}
    assert (await bob.patch(f"/api/envs/{env}", changes)).json() | changes
    assert await accounts.environments.days_kept() == {env: 30}
    off = (await bob.patch(f"/api/envs/{env}", {"use_retention": False})).json()
    assert off["retention_configuration"] == {"days": 30}
    assert await accounts.environments.days_kept() == {}


async def test_metrics_that_its_owner_made_public_are_there_for_anybody_who_names_it(
    bob: Person, house: Edge, accounts: Accounts
):
    env = await an_environment(bob)
    nobody = Person(house)
    metrics = "/api/v1/analytics/metrics"
    assert (await nobody.get(metrics, x_env_id=env)).status_code == 401
    await bob.patch(f"/api/envs/{env}", {"public_metrics": True})
    await accounts.environments._live.read_again()
    assert (await nobody.get(metrics, x_env_id=env)).status_code == 200
    assert (await nobody.get(metrics)).status_code == 401


async def test_the_setting_decides_about_the_default_environment(ada: Person):
    answer = await ada.patch(f"/api/envs/{DEFAULT_ENVIRONMENT}", {"public_metrics": True})
    assert (answer.status_code, "HEADRACE_PUBLIC_METRICS" in answer.json()["detail"]) == (409, True)
    same = await ada.patch(f"/api/envs/{DEFAULT_ENVIRONMENT}", {"public_metrics": False})
    assert same.status_code == 200


async def test_an_empty_one_can_be_deleted_and_its_name_used_again(bob: Person):
    env = await an_environment(bob)
    assert (await bob.delete(f"/api/envs/{env}")).status_code == 204
    assert (await bob.get(f"/api/envs/{env}")).status_code == 404
    assert (await bob.get("/api/users/me")).json()["active_env_id"] is None
    assert await an_environment(bob) != env


async def test_one_with_live_keys_or_events_stays(bob: Person, accounts: Accounts):
    env = await an_environment(bob)
    key = (await bob.post("/api/auth/api-key", {"name": "k"})).json()["data"]["keyId"]
    assert (await bob.delete(f"/api/envs/{env}")).status_code == 409
    await bob.delete(f"/api/auth/api-key/{key}")
    token = await bob.post("/api/v1/signing-tokens", {"accountId": "a", "workspaceId": "w"})
    assert (await bob.delete(f"/api/envs/{env}")).status_code == 409
    await bob.delete(f"/api/v1/signing-tokens/{token.json()['data']['tokenId']}")
    accounts.full.add(env)
    assert "events" in (await bob.delete(f"/api/envs/{env}")).json()["detail"]
    accounts.full.clear()
    assert (await bob.delete(f"/api/envs/{env}")).status_code == 204


async def test_the_default_one_stays_and_so_does_its_last_owner(ada: Person):
    assert (await ada.delete(f"/api/envs/{DEFAULT_ENVIRONMENT}")).status_code == 409
    left = await ada.delete(f"/api/envs/{DEFAULT_ENVIRONMENT}/members/{ada.id}")
    assert left.status_code == 409


async def test_a_request_may_name_another_of_the_callers_environments(bob: Person, eve: Person):
    first, _ = await an_environment(bob, "first"), await an_environment(bob, "second")
    key = await bob.post("/api/auth/api-key", {"name": "k"}, x_env_id=first)
    assert key.status_code == 200
    listed = {e: (await bob.get("/api/auth/api-key", x_env_id=e)).json()["data"] for e in (first,)}
    assert len(listed[first]["keys"]) == 1
    assert (await bob.get("/api/auth/api-key")).json()["data"]["keys"] == []
    assert (await eve.get("/api/auth/api-key", x_env_id=first)).status_code == 404


async def test_who_works_nowhere_is_told_so(eve: Person):
    answer = await eve.get("/api/auth/api-key")
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "NO_ENVIRONMENT")


async def test_whoever_signs_in_with_a_code_works_somewhere(house: Edge, accounts: Accounts):
    carol = await proven(house, accounts, "carol@example.com")
    active = (await carol.get("/api/users/me")).json()["active_env_id"]
    members = (await carol.get(f"/api/envs/{active}/members")).json()
    assert members == [{"id": carol.id, "email": "carol@example.com", "role": "owner"}]


async def test_credentials_for_another_store_are_never_valid(bob: Person):
    answer = await bob.post("/api/envs/check-byok-credentials", {"access_key": "a", "secret": "b"})
    assert (answer.status_code, answer.json()["valid"]) == (200, False)
