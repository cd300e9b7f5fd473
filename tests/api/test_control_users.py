"""Users over HTTP: who sees whom, what each may change, and everything out and in again."""

import copy
from typing import Any

import pytest

from service.accounts.audit_log import Asked
from tests.api.control import (
    ADA,
    BOB,
    EVE,
    PASSWORD,
    Person,
    an_environment,
    complaint,
    logged_in,
    proven,
    registered,
)
from tests.api.edge import Edge

OTHER = "another, and longer"


@pytest.fixture
async def bob(house: Edge, ada: Person) -> Person:
    bob = await registered(house, BOB)
    await an_environment(bob)
    return bob


@pytest.fixture
async def eve(house: Edge, bob: Person) -> Person:
    return await registered(house, EVE)


async def emails(person: Person, query: str = "") -> list[str]:
    return [user["email"] for user in (await person.get(f"/api/users{query}")).json()["items"]]


async def share(bob: Person, eve: Person) -> None:
    """Have them in one team."""
    team = (await bob.post("/api/teams", {"name": "team"})).json()["id"]
    await bob.post(f"/api/teams/{team}/members/bulk", {"members": [eve.id]})


async def test_a_superuser_sees_all_and_others_those_they_share_an_environment_with(ada, bob, eve):
    assert await emails(ada) == [ADA, BOB, EVE]
    assert await emails(eve) == [EVE]
    assert (await eve.get(f"/api/users/{bob.id}")).status_code == 404
    await share(bob, eve)
    assert await emails(eve) == [BOB, EVE]
    assert (await eve.get(f"/api/users/{bob.id}")).json()["email"] == BOB
    assert await emails(ada, "?search=eve") == [EVE]


async def test_nobody_changes_somebody_else_but_a_superuser(ada, bob, eve):
    await share(bob, eve)
    for answer in (
        await eve.patch(f"/api/users/{bob.id}", {"name": "x"}),
        await eve.delete(f"/api/users/{bob.id}"),
    ):
        assert (answer.status_code, set(answer.json())) == (403, {"detail"})
    assert (await eve.patch(f"/api/users/{ada.id}", {"name": "x"})).status_code == 404
    changed = await ada.patch(f"/api/users/{bob.id}", {"name": "Robert"})
    assert changed.json()["name"] == "Robert"


@pytest.mark.parametrize("mark", ["is_superuser", "is_verified"])
async def test_nobody_gives_himself_a_mark(bob: Person, mark: str):
    assert (await bob.patch("/api/users/me", {mark: True})).status_code == 403
    assert (await bob.patch("/api/users/me", {mark: False, "name": "b"})).status_code == 200


async def test_where_one_works_can_be_changed_to_where_one_belongs(bob, eve):
    first = (await bob.get("/api/users/me")).json()["active_env_id"]
    await an_environment(bob, "second")
    back = await bob.patch(f"/api/users/{bob.id}", {"active_env_id": first})
    assert back.json()["active_env_id"] == first
    wrong = await eve.patch("/api/users/me", {"active_env_id": first})
    assert complaint(wrong)[:2] == (422, ["body", "active_env_id"])
    assert (await bob.patch("/api/users/me", {"active_env_id": None})).status_code == 200


async def test_one_s_own_address_changes_with_the_password_alone(ada, bob):
    new = {"email": "Robert@example.com"}
    assert (await bob.patch("/api/users/me", new)).json() == {
        "detail": "CHANGE_PASSWORD_BAD_PASSWORD"
    }
    changed = (await bob.patch("/api/users/me", new | {"current_password": PASSWORD})).json()
    assert (changed["email"], changed["is_verified"]) == ("robert@example.com", False)
    taken = await bob.patch("/api/users/me", {"email": ADA, "current_password": PASSWORD})
    assert taken.json() == {"detail": "UPDATE_USER_EMAIL_ALREADY_EXISTS"}


async def test_a_superuser_sets_a_password_and_switches_an_account_off(ada, bob, house):
    assert (await ada.patch(f"/api/users/{bob.id}", {"password": OTHER})).status_code == 200
    assert (await bob.get("/api/users/me")).status_code == 401
    bob = Person(house, await logged_in(house, BOB, OTHER))
    assert (await ada.patch("/api/users/nobody", {})).status_code == 404
    off = await ada.patch(f"/api/users/{await id_of(ada, BOB)}", {"is_active": False})
    assert off.json()["is_active"] is False
    assert (await bob.get("/api/users/me")).status_code == 401


async def id_of(ada: Person, email: str) -> str:
    return (await ada.get(f"/api/users?search={email}")).json()["items"][0]["id"]


async def test_there_is_always_a_superuser(ada, bob):
    for change in ({"is_superuser": False}, {"is_active": False}):
        assert (await ada.patch("/api/users/me", change)).status_code == 409
    assert (await ada.delete(f"/api/users/{ada.id}")).status_code == 409
    await ada.patch(f"/api/users/{bob.id}", {"is_superuser": True})
    assert (await ada.patch("/api/users/me", {"is_superuser": False})).status_code == 200
    assert (await ada.get("/api/users/export-all")).status_code == 403


async def test_who_deletes_himself_is_gone_with_his_sessions(bob, eve, ada):
    await share(bob, eve)
    assert (await eve.delete(f"/api/users/{eve.id}")).status_code == 204
    assert (await eve.get("/api/users/me")).status_code == 401
    assert await emails(ada) == [ADA, BOB]


async def test_the_last_owner_of_an_environment_stays(bob, ada):
    answer = await ada.delete(f"/api/users/{bob.id}")
    assert (answer.status_code, "production" in answer.json()["detail"]) == (409, True)
    env = (await bob.get("/api/users/me")).json()["active_env_id"]
    await bob.delete(f"/api/envs/{env}")
    assert (await ada.delete(f"/api/users/{bob.id}")).status_code == 204


async def test_changing_one_s_password_ends_the_other_sessions(bob, house):
    other = Person(house, await logged_in(house, BOB))
    path = "/api/users/me/change-password"
    wrong = await bob.post(path, {"current_password": OTHER, "new_password": OTHER})
    assert (wrong.status_code, wrong.json()["detail"]) == (400, "CHANGE_PASSWORD_BAD_PASSWORD")
    short = await bob.post(path, {"current_password": PASSWORD, "new_password": "short"})
    assert complaint(short)[:2] == (422, ["body", "new_password"])
    assert (
        await bob.post(path, {"current_password": PASSWORD, "new_password": OTHER})
    ).status_code == 204
    assert [(await p.get("/api/users/me")).status_code for p in (bob, other)] == [200, 401]


async def test_a_service_account_works_in_its_environment_until_it_is_revoked(bob, house):
    first = (await bob.get("/api/users/me")).json()["active_env_id"]
    made = (await bob.post("/api/users/me/service-account-token")).json()
    assert (made["env_id"], made["token_type"]) == (first, "bearer")
    service = Person(house, made["access_token"])
    second = await an_environment(bob, "second")
    assert (await service.get("/api/teams")).status_code == 200
    assert (await service.get(f"/api/envs/{first}")).status_code == 200
    assert (await service.get(f"/api/envs/{second}")).status_code == 404
    assert (await service.get("/api/teams", x_env_id=second)).status_code == 404
    assert (await service.get("/api/v1/events/stats", x_env_id=second)).status_code == 404
    (listed,) = (await bob.get("/api/users/me/service-account-token")).json()
    assert (listed["id"], "access_token" in listed) == (made["id"], False)
    path = f"/api/users/me/service-account-token/{made['id']}"
    assert (await bob.delete(path)).status_code == 204
    assert (await service.get("/api/teams")).status_code == 401


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("POST", "/api/envs", {"name": "x"}),
        ("POST", "/api/users/me/service-account-token", {}),
        ("PATCH", "/api/users/me", {"name": "x"}),
        ("GET", "/api/users/export-all", None),
        ("POST", "/api/auth/api-key", {"name": "x"}),
        ("POST", "/api/auth/jwt/logout", None),
    ],
)
async def test_a_service_account_does_not_manage_accounts(ada, house, method, path, body):
    await ada.patch("/api/users/me", {"active_env_id": "env_default"})
    made = (await ada.post("/api/users/me/service-account-token", {"name": "n"})).json()
    answer = await Person(house, made["access_token"]).ask(method, path, body)
    assert answer.status_code == 403


async def test_a_service_account_says_who_it_is_when_it_is_used_last(bob, accounts, house):
    made = (await bob.post("/api/users/me/service-account-token", {"expires_in_days": 1})).json()
    await Person(house, made["access_token"]).get("/api/teams")
    await accounts.sessions._uses.write()
    (listed,) = (await bob.get("/api/users/me/service-account-token")).json()
    assert listed["last_used_at"] is not None


async def test_a_forgotten_password_is_replaced_with_the_token_of_the_letter(bob, house, accounts):
    service = (await bob.post("/api/users/me/service-account-token")).json()["access_token"]
    nobody = Person(house)
    asked = await nobody.post("/api/auth/forgot-password", {"email": BOB})
    assert asked.status_code == 202
    token = accounts.letters[-1].text.split("token is ")[1].split()[0]
    reset = {"token": token, "password": "short"}
    assert (await nobody.post("/api/auth/reset-password", reset)).status_code == 422
    reset["password"] = OTHER
    assert (await nobody.post("/api/auth/reset-password", reset)).status_code == 200
    again = await nobody.post("/api/auth/reset-password", reset)
    assert (again.status_code, again.json()) == (400, {"detail": "RESET_PASSWORD_BAD_TOKEN"})
    for token in (bob.token, service):
        assert (await Person(house, token).get("/api/teams")).status_code == 401
    bob = Person(house, await logged_in(house, BOB, OTHER))
    assert (await bob.get("/api/users/me")).json()["is_verified"] is True


async def test_forgetting_tells_nothing_of_who_has_an_account(bob, house, accounts):
    ask = Person(house).post
    known = await ask("/api/auth/forgot-password", {"email": BOB})
    unknown = await ask("/api/auth/forgot-password", {"email": "nobody@example.com"})
    assert (known.status_code, known.content) == (unknown.status_code, unknown.content)
    assert "token" not in accounts.letters[-1].text


async def test_a_code_s_user_sets_a_first_password_by_letter(house, ada, accounts):
    await proven(house, accounts, "carol@example.com")
    await Person(house).post("/api/auth/forgot-password", {"email": "carol@example.com"})
    token = accounts.letters[-1].text.split("token is ")[1].split()[0]
    await Person(house).post("/api/auth/reset-password", {"token": token, "password": OTHER})
    assert await logged_in(house, "carol@example.com", OTHER)


async def document_of(ada: Person) -> dict[str, Any]:
    answer = await ada.get("/api/users/export-all")
    assert answer.status_code == 200
    for secret in ("$argon2id", "digest", "password", "eyJ"):
        assert secret not in answer.text
    return {k: v for k, v in answer.json().items() if k != "exported_at"}


async def test_everything_but_secrets_goes_out_and_in_again(ada, bob, eve):
    await share(bob, eve)
    exported = (await ada.get("/api/users/export-all")).json()
    for _ in range(2):
        done = (await ada.post("/api/users/import-all", exported)).json()
        assert not any(done["created"].values()) | any(done["updated"].values())
    assert done["unchanged"]["users"] == 3
    assert await document_of(ada) == {k: v for k, v in exported.items() if k != "exported_at"}


async def test_another_installation_takes_it_in(ada, bob, eve, tmp_path, house):
    await share(bob, eve)
    exported = (await ada.get("/api/users/export-all")).json()
    await bob.post("/api/teams", {"name": "later"})
    env = (await bob.get("/api/users/me")).json()["active_env_id"]
    await ada.patch(f"/api/envs/{env}", {"name": "renamed", "description": "x"})
    await eve.delete(f"/api/users/{eve.id}")
    done = (await ada.post("/api/users/import-all", exported)).json()
    assert (done["created"]["users"], done["created"]["team_members"]) == (1, 1)
    assert done["updated"] == {
        **dict.fromkeys(done["updated"], 0),
        "environments": 1,
    }
    back = await document_of(ada)
    assert back["users"] == exported["users"]
    assert back["environments"] == exported["environments"]


async def test_a_smaller_tier_that_is_taken_in_holds_for_the_keys(ada, accounts):
    key = await accounts.keys.create("k", ["read"])
    exported = (await ada.get("/api/users/export-all")).json()
    exported["environments"][0]["tier"] = "basic"
    assert (await ada.post("/api/users/import-all", exported)).status_code == 200
    assert (await accounts.keys.get(key.key.id)).tier == "basic"
    await accounts.keys._known.read_again()
    assert (await accounts.keys.verify(key.text)).tier == "basic"
    (entry, *_) = (await accounts.audit.page(Asked(None, action="accounts.imported"))).entries
    assert entry.details["keys_lowered"] == {"env_default": 1}


@pytest.mark.parametrize(
    ("spoil", "status"),
    [
        (lambda d: d.update(version=3), 422),
        (lambda d: d.update(receipts=[]), 422),
        (lambda d: d["users"][0].update(email="x"), 422),
        (lambda d: d["users"][0].update(is_superuser="yes"), 422),
        (lambda d: d["users"][0].update(id="a b"), 422),
        (lambda d: d["users"][0].update(created_at=10**18), 422),
        (lambda d: d["environments"][0].update(tier="gold"), 422),
        (lambda d: d["members"][0].update(user_id="nobody"), 409),
        (lambda d: d["users"][-1].update(email=ADA), 409),
        (lambda d: [user.update(is_superuser=False) for user in d["users"]], 409),
    ],
)
async def test_a_document_that_does_not_fit_changes_nothing(ada, bob, spoil, status):
    before = await document_of(ada)
    document = copy.deepcopy(before) | {"exported_at": 1}
    new = {"id": "new", "email": "new@example.com", "is_superuser": False}
    document["users"].append(document["users"][0] | new)
    spoil(document)
    answer = await ada.post("/api/users/import-all", document)
    assert (answer.status_code, set(answer.json())) == (status, {"detail"}), answer.text
    assert await document_of(ada) == before
