"""Everything as one document: saved questions, connectors and pipelines, out and in again."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from tests.api.control import Person, an_environment, complaint, registered
from tests.api.edge import Edge, running
from tests.api.pipelines import a_connector, a_pipeline, a_team
from tests.signing import opened_accounts

KAFKA = {
    "target_name": "kafka",
    "target_type": "KAFKA_TARGET",
    "target_config": {
        "bootstrap_server": "kafka.company.com:9092",
        "security_protocol": "SASL_SSL",
        "sasl_mechanism": "PLAIN",
        "sasl_username": "kafka_user",
        "sasl_password": "kafka_pass",
    },
}
COLUMNS = [{"key": "user_id", "path": "$.user", "primary_key": True}]
QUESTION = {"question": {"metrics": ["events"], "range": "24h"}}


@pytest.fixture
async def elsewhere(tmp_path: Path) -> AsyncIterator[Person]:
    """The superuser of another installation."""
    async with opened_accounts(tmp_path / "other") as accounts, running(**vars(accounts)) as edge:
        yield await registered(edge, "root@example.com")


async def exported(person: Person) -> dict[str, Any]:
    answer = await person.get("/api/users/export-all")
    assert answer.status_code == 200, answer.text
    assert "kafka_pass" not in answer.text
    return {name: value for name, value in answer.json().items() if name != "exported_at"}


async def taken_in(person: Person, document: dict[str, Any]) -> dict[str, Any]:
    body = {**document, "exported_at": 1}
    answer = await person.post("/api/users/import-all", body)
    assert answer.status_code == 200, answer.text
    return answer.json()


@pytest.fixture
async def piped(house: Edge, ada: Person) -> dict[str, Any]:
    """A live pipeline of ada's with a secret, in an environment of hers."""
    await an_environment(ada)
    team = await a_team(ada)
    made = await a_pipeline(ada, team, **KAFKA, subscription_mapper_config=COLUMNS)
    await a_connector(ada, team, name="spare")
    assert (await ada.post(f"/api/pipelines/{made['id']}/start")).status_code == 202
    return made


async def test_what_is_there_already_stays_as_it_is(ada: Person, piped: dict[str, Any]):
    document, path = await exported(ada), f"/api/pipelines/{piped['id']}"
    assert [one["name"] for one in document["connectors"]] == ["kafka", "shop", "spare"]
    before = (await ada.get(path)).json()
    done = await taken_in(ada, document)
    assert (done["unchanged"]["connectors"], done["unchanged"]["pipelines"]) == (3, 1)
    assert not any(done["created"].values()) | any(done["updated"].values())
    assert (await ada.get(path)).json() == before


async def test_another_installation_has_its_pipelines_as_drafts_without_secrets(
    ada: Person, piped: dict[str, Any], elsewhere: Person
):
    document = await exported(ada)
    done = await taken_in(elsewhere, document)
    assert (done["created"]["connectors"], done["created"]["pipelines"]) == (3, 1)
    there = (await elsewhere.get(f"/api/pipelines/{piped['id']}")).json()
    config = {n: v for n, v in piped["target_config"].items() if n != "sasl_password"}
    assert (there["state"], there["version"], there["target_config"]) == ("draft", 1, config)
    assert there["subscription_mapper_config"] == piped["subscription_mapper_config"]
    again = await taken_in(elsewhere, document)
    assert again["unchanged"]["pipelines"] == 1
    secret = {"config": {**config, "sasl_password": "another"}}
    given = await elsewhere.patch(f"/api/connectors/{there['target_id']}", secret)
    assert given.json()["config"]["sasl_password"] == "********"
    assert (await exported(elsewhere))["pipelines"] == document["pipelines"]


async def test_what_changed_since_is_changed_back(ada: Person, piped: dict[str, Any]):
    document, path = await exported(ada), f"/api/pipelines/{piped['id']}"
    await ada.patch(path, {"name": "renamed", "subscription_backfill": True})
    done = await taken_in(ada, document)
    assert done["updated"]["pipelines"] == 1
    back = (await ada.get(path)).json()
    assert (back["name"], back["subscription_backfill"]) == ("orders", False)
    assert (await exported(ada)) == document


async def test_saved_questions_go_with_it(ada: Person, elsewhere: Person):
    env = await an_environment(ada)
    asked = await ada.ask("PUT", "/api/v1/analytics/saved/daily", QUESTION, x_env_id=env)
    assert asked.status_code == 201, asked.text
    document = await exported(ada)
    [saved] = document["saved_questions"]
    assert (saved["env_id"], saved["name"]) == (env, "daily")
    assert (await taken_in(elsewhere, document))["created"]["saved_questions"] == 1
    assert (await exported(elsewhere))["saved_questions"] == [saved]
    await ada.delete("/api/v1/analytics/saved/daily", x_env_id=env)
    assert (await taken_in(ada, document))["created"]["saved_questions"] == 1
    assert (await exported(ada))["saved_questions"] == [saved]


async def test_a_document_of_the_first_version_is_taken_in_too(ada: Person):
    later = ("saved_questions", "connectors", "pipelines")
    document = {n: v for n, v in (await exported(ada)).items() if n not in later}
    assert (await taken_in(ada, document | {"version": 1}))["unchanged"]["users"] == 1


@pytest.mark.parametrize(
    ("part", "change", "place"),
    [
        ("connectors", {"team_id": "nowhere"}, ["body", "connectors", "0", "team_id"]),
        ("connectors", {"type": "FAX_TARGET"}, ["body", "connectors", "0", "type"]),
        ("connectors", {"config": {"colour": "red"}}, ["body", "connectors", "0", "config"]),
        ("pipelines", {"id": "a b"}, ["body", "pipelines", "0", "id"]),
        ("saved_questions", {"definition": "{}"}, ["body", "saved_questions"]),
    ],
)
async def test_what_makes_no_sense_changes_nothing(
    ada: Person, piped: dict[str, Any], part: str, change: dict[str, Any], place: list[str]
):
    await ada.ask("PUT", "/api/v1/analytics/saved/daily", QUESTION, x_env_id=piped["env_id"])
    before = await exported(ada)
    document = {**before, "exported_at": 1, part: [before[part][0] | change]}
    answer = await ada.post("/api/users/import-all", document)
    status, where, _ = complaint(answer)
    assert (status, where[: len(place)]) == (422, place), answer.text
    assert await exported(ada) == before
