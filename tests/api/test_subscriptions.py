"""Subscriptions, datamodels and configurations over HTTP."""

from typing import Any

import pytest

from tests.api.control import BOB, EVE, Person, an_environment, complaint, registered
from tests.api.edge import Edge
from tests.api.pipelines import a_connector, a_pipeline, a_team, flat

PATH, PIPELINES, DATAMODELS = "/api/subscriptions", "/api/pipelines", "/api/datamodels"


@pytest.fixture
async def bob(house: Edge, ada: Person) -> Person:
    """Owns an environment; is no superuser."""
    bob = await registered(house, BOB)
    await an_environment(bob)
    return bob


@pytest.fixture
async def team(bob: Person) -> str:
    return await a_team(bob)


@pytest.fixture
async def pipeline(bob: Person, team: str) -> dict[str, Any]:
    return await a_pipeline(bob, team)


async def subscribed(person: Person, pipeline: dict[str, Any], **more: Any) -> dict[str, Any]:
    """A second subscription of a pipeline, into a target of its own."""
    target = await a_connector(person, pipeline["team_id"], name=more.pop("named", "second"))
    wanted = {"datamodel_id": pipeline["datamodel_id"], "target_id": target, **more}
    made = await person.post(PATH, wanted)
    assert made.status_code == 201, made.text
    return made.json()


async def state(person: Person, path: str) -> str:
    return (await person.get(path)).json()["state"]


async def test_a_pipeline_comes_with_one(bob: Person, pipeline: dict[str, Any]):
    page = (await bob.get(f"{PATH}/?pipeline_id={pipeline['id']}")).json()
    [own] = page["items"]
    assert (own["id"], own["state"]) == (pipeline["subscription_id"], "draft")
    assert own["target_id"] == pipeline["target_id"]
    assert (await bob.get(f"{PATH}/{own['id']}")).json() == own
    [model] = (await bob.get(DATAMODELS)).json()["items"]
    assert (model["id"], model["name"]) == (pipeline["datamodel_id"], "orders")
    assert model["subscription_ids"] == [own["id"]]


async def test_another_one_makes_another_version_and_runs_with_its_pipeline(bob, pipeline):
    made = await subscribed(bob, pipeline, target_table_name="copy", backfill=True)
    assert (made["state"], made["target_table_name"], made["backfill"]) == ("draft", "copy", True)
    one = f"{PIPELINES}/{pipeline['id']}"
    assert (await bob.get(one)).json()["version"] == 2
    assert (await bob.get(one)).json()["subscription_id"] == pipeline["subscription_id"]
    await bob.post(f"{one}/start")
    assert await state(bob, f"{PATH}/{made['id']}") == "building"
    assert len((await bob.get(f"{one}/worker-config")).json()["subscriptions"]) == 2


async def test_one_can_pause_while_the_others_go_on(bob: Person, pipeline: dict[str, Any]):
    made, one = await subscribed(bob, pipeline), f"{PIPELINES}/{pipeline['id']}"
    assert (await bob.post(f"{PATH}/{made['id']}/pause")).status_code == 409
    await bob.post(f"{one}/start")
    answer = await bob.post(f"{PATH}/{made['id']}/pause")
    assert (answer.status_code, answer.json()) == (202, "PAUSED")
    assert await state(bob, one) == "building"
    [left] = (await bob.get(f"{one}/worker-config")).json()["subscriptions"]
    assert left["id"] == pipeline["subscription_id"]
    answer = await bob.post(f"{PATH}/{made['id']}/start")
    assert (answer.status_code, answer.json()) == (202, "BUILDING")


async def test_a_pipeline_stands_still_with_its_last_one(bob: Person, pipeline: dict[str, Any]):
    one = f"{PIPELINES}/{pipeline['id']}"
    await bob.post(f"{one}/start")
    await bob.post(f"{PATH}/{pipeline['subscription_id']}/pause")
    assert await state(bob, one) == "paused"
    assert (await bob.post(f"{one}/start")).status_code == 409
    await bob.post(f"{PATH}/{pipeline['subscription_id']}/start")
    assert await state(bob, one) == "building"
    assert (await bob.delete(f"{PATH}/{pipeline['subscription_id']}")).status_code == 204
    assert await state(bob, one) == "paused"
    assert (await bob.get(one)).json()["target_id"] is None


async def test_a_target_is_subscribed_to_all_of_its_team_once(bob: Person, team: str, pipeline):
    await a_pipeline(bob, team, name="more", source_name="b", target_name="c")
    target = await a_connector(bob, team, name="everything")
    made = await bob.post(f"{PATH}/subscribe-all", {"target_id": target, "backfill": True})
    assert made.status_code == 201, made.text
    assert [(one["target_table_name"], one["backfill"]) for one in made.json()] == [
        ("orders", True),
        ("more", True),
    ]
    assert (await bob.post(f"{PATH}/subscribe-all", {"target_id": target})).json() == []
    source = pipeline["source_id"]
    assert (await bob.post(f"{PATH}/subscribe-all", {"target_id": source})).status_code == 422


async def test_a_change_is_checked_and_makes_another_version(bob: Person, pipeline):
    one = f"{PATH}/{pipeline['subscription_id']}"
    wrong = await bob.patch(one, {"mapper_config": [{"key": "a"}]})
    assert complaint(wrong)[:2] == (422, ["body", "mapper_config", "0"])
    wrong = await bob.patch(one, {"target_id": pipeline["source_id"]})
    assert complaint(wrong)[:2] == (422, ["body", "target_id"])
    columns = [{"key": "a", "path": "$.a"}]
    assert (await bob.patch(one, {"mapper_config": columns})).json()["mapper_config"] == columns
    now = (await bob.get(f"{PIPELINES}/{pipeline['id']}")).json()
    assert (now["version"], now["subscription_mapper_config"]) == (2, columns)


async def test_the_error_table_of_a_datamodel_is_that_of_its_subscriptions(bob, pipeline):
    table = {"error_table_enabled": True, "error_table_name": "refused"}
    changed = await bob.patch(f"{DATAMODELS}/{pipeline['datamodel_id']}/error-table", table)
    assert changed.json() | table == changed.json()
    await bob.post(f"{PIPELINES}/{pipeline['id']}/start")
    told = (await bob.get(f"{PIPELINES}/{pipeline['id']}/worker-config")).json()
    assert told["subscriptions"][0]["error_table"] == "refused"
    assert told["subscriptions"][0]["error_target"] == told["subscriptions"][0]["target"]


async def test_a_datamodel_goes_when_it_has_no_subscriptions_and_comes_again(bob, pipeline):
    one = f"{DATAMODELS}/{pipeline['datamodel_id']}"
    assert (await bob.delete(one)).status_code == 409
    await bob.delete(f"{PATH}/{pipeline['subscription_id']}")
    assert (await bob.delete(one)).status_code == 204
    assert (await bob.get(one)).status_code == 404
    assert (await bob.post(f"{PIPELINES}/{pipeline['id']}/start")).status_code == 409
    target = {"existing_target_id": pipeline["target_id"]}
    again = (await bob.patch(f"{PIPELINES}/{pipeline['id']}", target)).json()
    assert again["target_id"] == pipeline["target_id"]


async def test_a_configuration_comes_back_as_it_went_out(bob: Person, team: str, pipeline):
    await subscribed(bob, pipeline, target_table_name="copy")
    out = (await bob.get(f"{PIPELINES}/{pipeline['id']}/configuration")).json()
    before = (await bob.get(f"{PIPELINES}/{pipeline['id']}")).json()
    same = await bob.post(f"{PIPELINES}/{pipeline['id']}/configuration", out)
    assert (same.status_code, same.json()) == (200, before)
    new = await a_pipeline(bob, team, name="new", source_name="b", target_name="c")
    out["name"] = "taken-over"
    assert (await bob.post(f"{PIPELINES}/{new['id']}/configuration", out)).status_code == 200
    assert (await bob.get(f"{PIPELINES}/{new['id']}/configuration")).json() == out


async def test_a_configuration_makes_what_another_team_has_not(bob: Person, team: str, pipeline):
    out = (await bob.get(f"{PIPELINES}/{pipeline['id']}/configuration")).json()
    other = await a_pipeline(bob, await a_team(bob, "another"), source_name="b", target_name="c")
    taken = await bob.post(f"{PIPELINES}/{other['id']}/configuration", out)
    assert (taken.status_code, taken.json()["source_name"]) == (200, "shop")
    assert taken.json()["source_id"] != pipeline["source_id"]


@pytest.mark.parametrize(
    ("changes", "place"),
    [
        ({"version": 2}, ["body", "version"]),
        ({"name": "a b"}, ["body", "name"]),
        ({"source": {"name": "a", "type": "FAX", "config": {}}}, ["body", "source", "type"]),
        ({"subscriptions": [{"backfill": True}]}, ["body", "target"]),
        ({"flavour": "x"}, ["body", "flavour"]),
    ],
)
async def test_a_wrong_configuration_changes_nothing(bob: Person, pipeline, changes, place):
    one = f"{PIPELINES}/{pipeline['id']}"
    out = (await bob.get(f"{one}/configuration")).json()
    answer = await bob.post(f"{one}/configuration", {**out, "name": "other", **changes})
    assert complaint(answer)[:2] == (422, place)
    assert (await bob.get(f"{one}/configuration")).json() == out


async def test_who_is_not_in_the_team_has_no_part_in_them(house: Edge, bob: Person, pipeline):
    eve = await registered(house, EVE)
    other = await a_team(bob, "another team")
    paths = [
        f"{PATH}/{pipeline['subscription_id']}",
        f"{DATAMODELS}/{pipeline['datamodel_id']}",
        f"{PIPELINES}/{pipeline['id']}/configuration",
    ]
    for status in (404, 403):
        for path in paths:
            assert (await eve.get(path)).status_code == status, path
        wanted = {"datamodel_id": pipeline["datamodel_id"], "target_id": pipeline["target_id"]}
        assert (await eve.post(PATH, wanted)).status_code == status
        await bob.post(f"/api/teams/{other}/members/bulk", {"members": [eve.id]})
    assert (await eve.get(PATH)).json()["items"] == []
    assert (await eve.get(DATAMODELS)).json()["items"] == []


async def test_errors_may_go_to_a_target_of_the_same_environment_alone(bob: Person, team: str):
    for field in ("datamodel_error_table_target_id", "subscription_error_table_target_id"):
        answer = await bob.post(PIPELINES, flat(team, **{field: "nothing"}))
        assert (answer.status_code, "nothing" in answer.json()["detail"]) == (404, True)
