"""Teams over HTTP: who makes them, who is in them, and what that gives him in the environment."""

from typing import Any

import pytest

from tests.api.control import BOB, EVE, Person, an_environment, complaint, registered
from tests.api.edge import Edge
from tests.signing import Accounts


@pytest.fixture
async def bob(house: Edge, ada: Person) -> Person:
    """Owns an environment; is no superuser."""
    bob = await registered(house, BOB)
    await an_environment(bob)
    return bob


@pytest.fixture
async def eve(house: Edge, bob: Person) -> Person:
    """Belongs to nothing."""
    return await registered(house, EVE)


async def a_team(person: Person, name: str = "Data Engineering Team", **headers: str) -> str:
    made = await person.post("/api/teams/", {"name": name}, **headers)
    assert made.status_code == 201, made.text
    return made.json()["id"]


async def add(person: Person, team: str, *ids: str, **more: Any):
    return await person.post(f"/api/teams/{team}/members/bulk", {"members": ids, **more})


async def roles(person: Person, team: str) -> dict[str, str]:
    members = (await person.get(f"/api/teams/{team}/members")).json()
    return {member["email"]: member["role"] for member in members}


async def active(person: Person) -> str | None:
    return (await person.get("/api/users/me")).json()["active_env_id"]


async def test_making_one_answers_it_as_the_document_says_it(bob: Person):
    wanted = {"name": "Data Engineering Team", "description": "Team responsible for ETL pipelines"}
    answer = await bob.post("/api/teams/", wanted)
    assert answer.status_code == 201
    made = answer.json()
    assert {**made, **wanted, "env_id": await active(bob)} == made
    assert (await bob.get(f"/api/teams/{made['id']}")).json() == made
    assert await roles(bob, made["id"]) == {BOB: "owner"}


async def test_adding_somebody_lets_him_into_the_team_and_its_environment(bob, eve):
    team = await a_team(bob)
    answer = await add(bob, team, eve.id)
    assert (answer.status_code, answer.content) == (204, b"")
    assert await roles(bob, team) == {BOB: "owner", EVE: "member"}
    assert await active(eve) == await active(bob)
    assert (await eve.get("/api/v1/analytics/metrics")).status_code == 200
    assert (await eve.get("/api/auth/api-key")).status_code == 403


async def test_adding_is_all_or_nothing(bob, eve):
    team = await a_team(bob)
    answer = await add(bob, team, eve.id, "nobody")
    assert complaint(answer)[:2] == (422, ["body", "members"])
    assert await roles(bob, team) == {BOB: "owner"}
    assert (await add(bob, team, *["x"] * 501)).status_code == 422
    assert (await add(bob, team, eve.id, role="king")).status_code == 422


async def test_adding_again_changes_nothing(bob, eve):
    team = await a_team(bob)
    for _ in range(2):
        assert (await add(bob, team, eve.id, eve.id)).status_code == 204
    await add(bob, team, bob.id)
    assert await roles(bob, team) == {BOB: "owner", EVE: "member"}


async def test_a_member_sees_and_an_owner_changes(bob, eve):
    team = await a_team(bob)
    await add(bob, team, eve.id)
    assert (await eve.get(f"/api/teams/{team}")).status_code == 200
    for answer in (
        await eve.patch(f"/api/teams/{team}", {"name": "mine"}),
        await eve.delete(f"/api/teams/{team}"),
        await add(eve, team, eve.id),
        await eve.delete(f"/api/teams/{team}/members/{bob.id}"),
        await eve.patch(f"/api/teams/{team}/members/{eve.id}", {"role": "owner"}),
        await eve.post("/api/teams/", {"name": "another"}),
    ):
        assert (answer.status_code, set(answer.json())) == (403, {"detail"})
    assert await roles(eve, team) == {BOB: "owner", EVE: "member"}


async def test_a_stranger_finds_no_team(bob, eve):
    team = await a_team(bob)
    for answer in (
        await eve.get(f"/api/teams/{team}"),
        await eve.get(f"/api/teams/{team}/members"),
        await eve.patch(f"/api/teams/{team}", {"name": "mine"}),
        await eve.delete(f"/api/teams/{team}"),
        await add(eve, team, eve.id),
        await eve.get("/api/teams/", x_env_id=await active(bob)),
    ):
        assert (answer.status_code, set(answer.json())) == (404, {"detail"})
    assert (await eve.get("/api/teams/")).json()["items"] == []
    assert (await eve.post("/api/teams/", {"name": "x"})).status_code == 400


async def test_a_member_of_the_environment_is_not_in_every_team(bob, eve):
    await add(bob, await a_team(bob, "one"), eve.id)
    other = await a_team(bob, "other")
    assert (await eve.get(f"/api/teams/{other}")).status_code == 200
    assert (await eve.get(f"/api/teams/{other}/members")).status_code == 403


async def test_an_owner_of_a_team_may_be_a_member_of_the_environment(bob, eve, ada):
    team = await a_team(bob)
    await add(bob, team, eve.id, role="owner")
    assert (await add(eve, team, ada.id)).status_code == 204
    assert (await eve.patch(f"/api/teams/{team}", {"description": "ours"})).status_code == 200
    assert (await eve.post("/api/teams/", {"name": "another"})).status_code == 403


async def test_the_last_owner_stays_until_there_is_another(bob, eve):
    team = await a_team(bob)
    await add(bob, team, eve.id)
    path = f"/api/teams/{team}/members"
    assert (await bob.delete(f"{path}/{bob.id}")).status_code == 409
    assert (await bob.patch(f"{path}/{bob.id}", {"role": "member"})).status_code == 409
    assert (await bob.patch(f"{path}/{eve.id}", {"role": "owner"})).status_code == 204
    assert (await bob.delete(f"{path}/{bob.id}")).status_code == 204
    assert await roles(bob, team) == {EVE: "owner"}


async def test_who_is_taken_out_belongs_to_the_environment_no_more(bob, eve):
    team = await a_team(bob)
    await add(bob, team, eve.id)
    env = await active(eve)
    assert (await bob.delete(f"/api/teams/{team}/members/{eve.id}")).status_code == 204
    assert await active(eve) is None
    assert (await eve.get("/api/v1/analytics/metrics", x_env_id=env)).status_code == 404
    assert (await bob.delete(f"/api/teams/{team}/members/{eve.id}")).status_code == 404


async def test_who_is_in_two_teams_stays_while_he_is_in_one(bob, eve):
    one, other = await a_team(bob, "one"), await a_team(bob, "other")
    for team in (one, other):
        await add(bob, team, eve.id)
    assert (await bob.delete(f"/api/teams/{one}")).status_code == 204
    assert await active(eve) is not None
    assert (await eve.delete(f"/api/teams/{other}/members/{eve.id}")).status_code == 204
    assert await active(eve) is None


async def test_names_are_one_of_a_kind_in_an_environment(bob):
    await a_team(bob)
    again = await bob.post("/api/teams/", {"name": "Data Engineering Team"})
    assert again.status_code == 409
    other = await a_team(bob, "other")
    assert (
        await bob.patch(f"/api/teams/{other}", {"name": "Data Engineering Team"})
    ).status_code == 409
    await an_environment(bob, "second")
    assert await a_team(bob)


async def test_one_is_found_by_its_name_in_the_environment_that_is_named(bob):
    first = await active(bob)
    team = await a_team(bob)
    await an_environment(bob, "second")
    path = "/api/teams/filter-one?name=Data%20Engineering%20Team"
    assert (await bob.get(path)).status_code == 404
    assert (await bob.get(path, x_env_id=first)).json()["id"] == team


async def test_a_member_who_is_taken_out_of_the_environment_is_out_of_its_teams(bob, eve):
    team, env = await a_team(bob), await active(bob)
    await add(bob, team, eve.id)
    assert (await bob.delete(f"/api/envs/{env}/members/{eve.id}")).status_code == 204
    assert await roles(bob, team) == {BOB: "owner"}


async def test_an_environment_with_teams_stays(bob):
    team, env = await a_team(bob), await active(bob)
    assert (await bob.delete(f"/api/envs/{env}")).status_code == 409
    await bob.delete(f"/api/teams/{team}")
    assert (await bob.delete(f"/api/envs/{env}")).status_code == 204


async def invite(person: Person, email: str = EVE, **more: Any):
    return await person.post("/api/invitations", {"email": email, **more})


def token_in(accounts: Accounts) -> str:
    return accounts.letters[-1].text.split("token is ")[1].split()[0]


async def test_an_invitation_is_followed_once_by_whom_it_was_sent_to(bob, eve, ada, accounts):
    team = await a_team(bob)
    sent = await invite(bob, team_id=team)
    assert (sent.status_code, sent.json()["email"], sent.json()["team_id"]) == (201, EVE, team)
    assert accounts.letters[-1].to == EVE
    token = {"token": token_in(accounts)}
    assert token["token"] not in sent.text
    others = await ada.post("/api/invitations/accept", token)
    assert (others.status_code, others.json()) == (400, {"detail": "INVITATION_BAD_TOKEN"})
    assert (await eve.post("/api/invitations/accept", token)).status_code == 200
    assert await roles(bob, team) == {BOB: "owner", EVE: "member"}
    assert (await eve.post("/api/invitations/accept", token)).status_code == 400


async def test_an_invitation_into_the_environment_may_make_an_owner(bob, eve, accounts):
    await invite(bob, role="owner")
    await eve.post("/api/invitations/accept", {"token": token_in(accounts)})
    assert await active(eve) == await active(bob)
    assert (await eve.get("/api/auth/api-key")).status_code == 200


async def test_an_invitation_is_followed_by_registering(bob, house, accounts):
    await invite(bob, "new@example.com")
    body = {"email": "new@example.com", "password": "MySecurePassword123!"}
    wrong = await Person(house).post("/api/auth/register", body | {"invitation": "inv_x"})
    assert wrong.json() == {"detail": "INVITATION_BAD_TOKEN"}
    body |= {"invitation": token_in(accounts)}
    made = await Person(house).post("/api/auth/register", body)
    assert (made.status_code, made.json()["active_env_id"]) == (201, await active(bob))


async def test_open_invitations_are_listed_and_taken_back(bob, eve, accounts):
    sent = (await invite(bob)).json()
    assert (await bob.get("/api/invitations")).json() == [sent]
    assert (await eve.delete(f"/api/invitations/{sent['id']}")).status_code == 404
    assert (await bob.delete(f"/api/invitations/{sent['id']}")).status_code == 204
    assert (await bob.get("/api/invitations")).json() == []
    late = await eve.post("/api/invitations/accept", {"token": token_in(accounts)})
    assert late.status_code == 400


async def test_only_owners_invite(bob, eve):
    team = await a_team(bob)
    await add(bob, team, eve.id)
    answers = [await invite(eve, "x@example.com", team_id=team), await invite(eve, "x@example.com")]
    answers += [await eve.get("/api/invitations")]
    assert [answer.status_code for answer in answers] == [403, 403, 403]


async def test_a_deleted_team_invites_nobody(bob, eve, accounts):
    team = await a_team(bob)
    await invite(bob, team_id=team)
    await bob.delete(f"/api/teams/{team}")
    late = await eve.post("/api/invitations/accept", {"token": token_in(accounts)})
    assert late.status_code == 400


async def test_an_address_is_not_flooded_with_invitations(bob):
    answers = [await invite(bob) for _ in range(6)]
    assert [answer.status_code for answer in answers] == [201] * 5 + [429]
