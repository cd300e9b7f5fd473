"""Pipelines over HTTP: made, changed, started and paused, by the team that they belong to."""

from typing import Any

import pytest

from tests.api.control import BOB, EVE, Person, an_environment, complaint, registered
from tests.api.edge import Edge
from tests.api.pipelines import SOURCE, TARGET, a_connector, a_pipeline, a_team, flat

PATH = "/api/pipelines"


@pytest.fixture
async def bob(house: Edge, ada: Person) -> Person:
    """Owns an environment; is no superuser."""
    bob = await registered(house, BOB)
    await an_environment(bob)
    return bob


@pytest.fixture
async def team(bob: Person) -> str:
    return await a_team(bob)


async def test_one_with_new_connectors_is_a_draft_with_all_its_fields(bob: Person, team: str):
    answer = await bob.post(PATH, flat(team, subscription_target_table_name="events"))
    assert answer.status_code == 201, answer.text
    made = answer.json()
    assert {**made, **flat(team), "state": "draft", "version": 1} == made
    assert (made["existing_source_id"], made["team_name"]) == (None, "Data Engineering Team")
    assert made["subscription_target_table_name"] == "events"
    assert (await bob.get(f"{PATH}/{made['id']}/")).json() == made
    assert (await bob.get(f"{PATH}/filter-one?name=orders")).json() == made


async def test_connectors_that_are_there_can_be_used_again(bob: Person, team: str):
    first = await a_pipeline(bob, team)
    named = {"existing_source_id": first["source_id"], "existing_target_id": first["target_id"]}
    again = (await bob.post(PATH, {"name": "again", "team_id": team, **named})).json()
    assert again | named == again
    assert (again["source_name"], again["target_type"]) == ("shop", "WAREHOUSE_TARGET")


@pytest.mark.parametrize(
    ("changes", "place", "kind"),
    [
        ({"existing_source_id": "x"}, ["body", "existing_source_id"], "value_error"),
        ({"source_name": None}, ["body", "source_name"], "value_error.missing"),
        ({"target_config": None}, ["body", "target_config"], "value_error.missing"),
        ({"source_type": "FAX_SOURCE"}, ["body", "source_type"], "value_error"),
        ({"source_type": "WAREHOUSE_TARGET"}, ["body", "source_type"], "value_error"),
        ({"target_config": {"event_type": 7}}, ["body", "target_config", "event_type"], None),
        ({"target_config": {"colour": "red"}}, ["body", "target_config", "colour"], None),
        ({"name": "pipeline name"}, ["body", "name"], "value_error"),
        ({"name": "x" * 256}, ["body", "name"], "value_error"),
        ({"team_id": None}, ["body", "team_id"], "value_error.missing"),
        (
            {"subscription_mapper_config": [{"key": "a", "path": "$["}]},
            ["body", "subscription_mapper_config", "0", "path"],
            "value_error",
        ),
        (
            {"subscription_transforms": [{"type": "shout"}]},
            ["body", "subscription_transforms", "0"],
            "value_error",
        ),
        ({"subscription_mapping": []}, ["body", "subscription_mapping"], None),
        ({"subscription_backfill": "maybe"}, ["body", "subscription_backfill"], "type_error"),
    ],
)
async def test_what_is_wrong_is_told_with_its_place_and_makes_nothing(
    bob: Person, team: str, changes: dict[str, Any], place: list[str], kind: str | None
):
    answer = await bob.post(PATH, flat(team, **changes))
    assert answer.status_code == 422, answer.text
    assert complaint(answer)[1:] == (place, kind or complaint(answer)[2])
    for kept in (PATH, "/api/connectors/source-config"):
        assert (await bob.get(kept)).json()["total"] == 0


async def test_one_may_be_made_before_it_has_a_target(bob: Person, team: str):
    made = (await bob.post(PATH, {"name": "orders", "team_id": team, **SOURCE})).json()
    assert (made["state"], made["target_id"], made["subscription_id"]) == ("draft", None, None)
    one = f"{PATH}/{made['id']}"
    assert (await bob.post(f"{one}/start")).status_code == 409
    assert (await bob.patch(one, TARGET)).json()["target_name"] == "events"
    assert (await bob.post(f"{one}/start")).json() == "BUILDING"
    backfill = {**SOURCE, "source_name": "b", "subscription_backfill": True}
    answer = await bob.post(PATH, {"name": "b", "team_id": team, **backfill})
    assert complaint(answer) == (422, ["body", "target_name"], "value_error.missing")


async def test_an_unknown_type_is_told_those_that_there_are(bob: Person, team: str):
    answer = await bob.post(PATH, flat(team, source_type="FAX_SOURCE"))
    assert "HTTP_SOURCE" in answer.json()["detail"][0]["msg"]


async def test_names_are_one_of_a_kind_in_a_team(bob: Person, team: str):
    await a_pipeline(bob, team)
    answer = await bob.post(PATH, flat(team, source_name="b", target_name="c"))
    assert (answer.status_code, "orders" in answer.json()["detail"]) == (409, True)
    answer = await bob.post(PATH, flat(team, name="another"))
    assert (answer.status_code, "shop" in answer.json()["detail"]) == (409, True)
    other = await a_team(bob, "another team")
    assert (await bob.post(PATH, flat(other))).status_code == 201


async def test_a_change_of_the_name_alone_makes_no_version(bob: Person, team: str):
    made = await a_pipeline(bob, team)
    changed = (await bob.patch(f"{PATH}/{made['id']}", {"name": "new-pipeline-name"})).json()
    assert changed == {**made, "name": "new-pipeline-name", "updated_at": changed["updated_at"]}


async def test_a_change_of_what_it_does_makes_another_version_and_keeps_the_former(bob, team):
    made = await a_pipeline(bob, team)
    columns = [{"key": "user_id", "path": "$.user"}]
    wanted = {
        "target_config": {"event_type": "sale"},
        "subscription_backfill": True,
        "subscription_mapper_config": columns,
    }
    changed = (await bob.patch(f"{PATH}/{made['id']}", wanted)).json()
    assert changed | wanted == changed
    assert changed["version"] == 2, "one change is one version"
    newest, oldest = (await bob.get(f"{PATH}/{made['id']}/versions")).json()
    assert newest["configuration"]["subscriptions"][0]["mapper_config"] == columns
    assert (oldest["version"], oldest["made_by"]) == (1, BOB)
    assert oldest["configuration"]["subscriptions"][0]["backfill"] is False


async def test_a_pipeline_can_switch_to_another_connector(bob: Person, team: str):
    made = await a_pipeline(bob, team)
    other = await a_connector(bob, team, name="another", type="HTTP_SOURCE", config={})
    wanted = {"existing_source_id": other, "source_name": None, "source_type": None}
    changed = (await bob.patch(f"{PATH}/{made['id']}", wanted)).json()
    assert (changed["existing_source_id"], changed["source_name"]) == (other, "another")
    both = {"existing_source_id": other, "source_name": "new"}
    assert (await bob.patch(f"{PATH}/{made['id']}", both)).status_code == 422


async def test_a_connector_that_changes_gives_its_pipelines_another_version(bob, team):
    made = await a_pipeline(bob, team)
    path = f"/api/connectors/{made['target_id']}"
    changed = await bob.patch(path, {"config": {"event_type": "sale"}})
    assert changed.json()["config"] == {"event_type": "sale"}
    assert (await bob.get(f"{PATH}/{made['id']}")).json()["version"] == 2
    assert (await bob.patch(path, {"name": "renamed"})).json()["name"] == "renamed"
    assert (await bob.get(f"{PATH}/{made['id']}")).json()["version"] == 2


async def test_it_starts_pauses_and_starts_again(bob: Person, team: str):
    one = f"{PATH}/{(await a_pipeline(bob, team))['id']}"
    assert (await bob.post(f"{one}/pause")).status_code == 409
    for step, said in [
        ("start", "BUILDING"),
        ("start", "BUILDING"),
        ("pause", "PAUSED"),
        ("pause", "PAUSED"),
        ("restart", "BUILDING"),
    ]:
        answer = await bob.post(f"{one}/{step}")
        assert (answer.status_code, answer.json()) == (202, said)
        assert (await bob.get(f"{one}/status")).json()["state"] == said.lower()


async def test_states_are_counted_and_filtered_by(bob: Person, team: str):
    started = await a_pipeline(bob, team)
    named = {"existing_source_id": started["source_id"], "existing_target_id": started["target_id"]}
    await bob.post(PATH, {"name": "drafted", "team_id": team, **named})
    await bob.post(f"{PATH}/{started['id']}/start")
    counts = (await bob.get(f"{PATH}/count-status")).json()
    nothing = {"live": 0, "paused": 0, "error": 0}
    assert counts == {"all": 2, "draft": 1, "building": 1, **nothing}
    found = (await bob.get(f"{PATH}/?state=building&team_id={team}&search=ORD")).json()
    assert [each["name"] for each in found["items"]] == ["orders"]
    [status] = (await bob.get(f"{PATH}/status/all-non-draft")).json()
    assert (status["id"], status["state"]) == (started["id"], "building")
    assert (await bob.get(f"{PATH}?state=alive")).status_code == 422


async def test_the_configuration_of_the_worker_is_what_it_is_given(bob: Person, team: str):
    columns = [{"key": "user_id", "path": "$.user", "primary_key": True}]
    made = await a_pipeline(bob, team, subscription_mapper_config=columns)
    await bob.post(f"{PATH}/{made['id']}/start")
    told = (await bob.get(f"{PATH}/{made['id']}/worker-config")).json()
    assert (told["pipeline_id"], told["tenant"]) == (made["id"], made["env_id"])
    assert told["source"] == {"type": "HTTP_SOURCE", "settings": {}}
    [one] = told["subscriptions"]
    assert (one["id"], one["columns"][0]["key"]) == (made["subscription_id"], "user_id")


async def test_deleting_one_leaves_its_connectors(bob: Person, team: str):
    made = await a_pipeline(bob, team)
    one = f"/api/connectors/{made['source_id']}"
    refused = await bob.delete(one)
    assert (refused.status_code, "orders" in refused.json()["detail"]) == (409, True)
    assert (await bob.delete(f"/api/teams/{team}")).status_code == 409
    assert (await bob.delete(f"{PATH}/{made['id']}")).status_code == 204
    assert (await bob.get(f"{PATH}/{made['id']}")).status_code == 404
    assert (await bob.delete(f"/api/teams/{team}")).status_code == 409
    for connector in (made["source_id"], made["target_id"]):
        assert (await bob.delete(f"/api/connectors/{connector}")).status_code == 204
    assert (await bob.delete(f"/api/teams/{team}")).status_code == 204


async def test_connectors_are_listed_by_direction_and_found_by_name(bob: Person, team: str):
    made = await a_pipeline(bob, team)
    for side, told in (("source", SOURCE), ("target", TARGET)):
        page = (await bob.get(f"/api/connectors/{side}-config?type={told[f'{side}_type']}")).json()
        assert [each["id"] for each in page["items"]] == [made[f"{side}_id"]]
        named = await bob.get(f"/api/connectors/filter-one?name={told[f'{side}_name']}")
        assert named.json() == page["items"][0]
        worker = f"/api/connectors/{made[f'{side}_id']}/{side}-worker-config"
        assert (await bob.get(worker)).json()["settings"] == told[f"{side}_config"]
    crossed = f"/api/connectors/{made['source_id']}/target-worker-config"
    assert (await bob.get(crossed)).status_code == 404


async def test_a_connector_starts_and_stops_the_pipelines_that_use_it(bob: Person, team: str):
    made = await a_pipeline(bob, team)
    one = f"/api/connectors/{made['source_id']}"
    for step, said in (("start", "BUILDING"), ("stop", "PAUSED")):
        answer = await bob.post(f"{one}/{step}")
        assert (answer.status_code, answer.json()) == (202, said)
        assert (await bob.get(f"{PATH}/{made['id']}")).json()["state"] == said.lower()
    lonely = await a_connector(bob, team, name="lonely")
    assert (await bob.post(f"/api/connectors/{lonely}/start")).status_code == 409


async def test_members_of_the_team_may_and_others_of_the_environment_may_not(house, bob, team):
    made = await a_pipeline(bob, team)
    eve = await registered(house, EVE)
    other = await a_team(bob, "another team")
    await bob.post(f"/api/teams/{other}/members/bulk", {"members": [eve.id]})
    one, connector = f"{PATH}/{made['id']}", f"/api/connectors/{made['source_id']}"
    for path in (one, f"{one}/versions", f"{one}/worker-config", connector):
        assert (await eve.get(path)).status_code == 403
    assert (await eve.patch(one, {"name": "mine"})).status_code == 403
    assert (await eve.post(f"{one}/start")).status_code == 403
    assert (await eve.post(PATH, flat(team, name="mine"))).status_code == 403
    assert (await eve.get(PATH)).json()["items"] == []
    await bob.post(f"/api/teams/{team}/members/bulk", {"members": [eve.id]})
    assert (await eve.patch(one, {"name": "ours"})).json()["name"] == "ours"
    assert (await eve.post(f"{one}/start")).status_code == 202


async def test_for_strangers_it_is_not_there(house: Edge, bob: Person, team: str):
    made = await a_pipeline(bob, team)
    eve = await registered(house, EVE)
    await an_environment(eve, "elsewhere")
    mine = await a_team(eve)
    one, connector = f"{PATH}/{made['id']}", f"/api/connectors/{made['source_id']}"
    for path in (one, connector):
        assert (await eve.get(path)).status_code == 404
        assert (await eve.delete(path)).status_code == 404
    taken = {"existing_source_id": made["source_id"], **TARGET}
    answer = await eve.post(PATH, {"name": "mine", "team_id": mine, **taken})
    assert answer.status_code == 404
    assert (await eve.post(PATH, flat(team, name="mine"))).status_code == 404


async def test_a_connector_of_another_environment_of_ones_own_is_not_there(bob: Person, team: str):
    made = await a_pipeline(bob, team)
    await an_environment(bob, "elsewhere")
    there = await a_team(bob)
    taken = {"existing_source_id": made["source_id"], **TARGET}
    assert (await bob.post(PATH, {"name": "x", "team_id": there, **taken})).status_code == 404


async def test_what_is_done_is_in_the_audit_log(bob: Person, team: str):
    made = await a_pipeline(bob, team)
    await bob.post(f"{PATH}/{made['id']}/start")
    log = (await bob.get("/api/v1/audit?limit=10")).json()["data"]["entries"]
    told = [(each["action"], each["subject"]) for each in log]
    assert ("pipeline.started", made["id"]) in told
    assert ("pipeline.made", made["id"]) in told
    assert ("connector.made", made["source_id"]) in told
