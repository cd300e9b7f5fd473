"""Sources and pipelines on the thedata face: by keys of the environment, and by people."""

from typing import Any

import httpx2
import pytest

from tests.api.control import BOB, EVE, Person, an_environment, registered
from tests.api.edge import Edge
from tests.api.pipelines import TARGET, a_team

SOURCES, PIPELINES = "/api/v1/sources", "/api/v1/pipelines"
SECRET = "kafka_pass"
KAFKA = {
    "topic": "user-events",
    "bootstrap_servers": "kafka.example.com:9092",
    "security_protocol": "SASL_SSL",
    "sasl_username": "kafka_user",
    "sasl_password": SECRET,
}


class Key:
    """Whoever holds a key of an environment."""

    def __init__(self, edge: Edge, text: str) -> None:
        self.edge, self.headers = edge, {"x-api-key": text}

    async def ask(self, method: str, path: str, body: Any = None) -> httpx2.Response:
        return await self.edge.client.request(method, path, json=body, headers=self.headers)

    async def made(self, path: str, body: Any) -> dict[str, Any]:
        answer = await self.ask("POST", path, body)
        assert answer.status_code == 201, answer.text
        return answer.json()


@pytest.fixture
async def bob(house: Edge, ada: Person) -> Person:
    """Owns an environment; is no superuser."""
    bob = await registered(house, BOB)
    await an_environment(bob)
    return bob


async def key_of(bob: Person, *scopes: str) -> Key:
    made = await bob.post("/api/auth/api-key", {"name": "k", "scopes": scopes})
    return Key(bob.edge, made.json()["data"]["apiKey"])


@pytest.fixture
async def key(bob: Person) -> Key:
    return await key_of(bob, "read", "admin")


def a_source(**changes: Any) -> dict[str, Any]:
    return {"name": "users", "type": "kafka", "config": KAFKA, **changes}


async def test_a_key_makes_a_source_which_is_a_connector(bob: Person, key: Key):
    made = await key.made(SOURCES, a_source())
    assert (made["type"], made["status"]) == ("KAFKA_SOURCE", "idle")
    assert made["config"] == {**KAFKA, "sasl_password": "********"}
    assert (await key.ask("GET", f"{SOURCES}/{made['id']}")).json() == made
    listed = (await key.ask("GET", f"{SOURCES}?search=USE&limit=1")).json()
    assert listed == {"data": [made], "total": 1, "offset": 0, "limit": 1}
    assert (await bob.get(f"/api/connectors/{made['id']}")).json()["name"] == "users"
    assert (await bob.get(f"/api/teams/{made['team_id']}")).json()["name"] == "default"


async def test_a_secret_stays_where_a_change_leaves_it_out_or_masks_it(key: Key, bob: Person):
    one = f"{SOURCES}/{(await key.made(SOURCES, a_source()))['id']}"
    without = {name: value for name, value in KAFKA.items() if name != "sasl_password"}
    for config in (without, {**KAFKA, "sasl_password": "********", "topic": "other"}):
        changed = await key.ask("PUT", one, a_source(config=config))
        assert changed.json()["config"]["sasl_password"] == "********"
    gone = await key.ask("PUT", one, a_source(config={**KAFKA, "sasl_password": None}))
    assert (gone.status_code, gone.json()["details"]["field"]) == (400, "config.sasl_password")
    masked = a_source(name="b", config={**KAFKA, "sasl_password": "********"})
    refused = await key.ask("POST", SOURCES, masked)
    assert refused.json()["details"]["field"] == "config.sasl_password"


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"type": "fax"}, "type"),
        ({"type": "WAREHOUSE_TARGET"}, "type"),
        ({"config": {}}, "config.bootstrap_servers"),
        ({"config": {**KAFKA, "colour": 1}}, "config.colour"),
        ({"name": ""}, "name"),
        ({"extra": 1}, "extra"),
    ],
)
async def test_what_is_wrong_is_told_in_this_face_s_form(key: Key, changes: Any, field: str):
    answer = await key.ask("POST", SOURCES, a_source(**changes))
    assert (answer.status_code, answer.json()["code"]) == (400, "validation_error")
    assert answer.json()["details"]["field"] in {field, "config.topic"}


async def test_a_pipeline_of_a_key_starts_stops_and_goes(bob: Person, key: Key):
    source = await key.made(SOURCES, a_source())
    assert (await key.ask("POST", f"{SOURCES}/{source['id']}/sync")).status_code == 409
    wanted = {"name": "orders", "existing_source_id": source["id"], **TARGET}
    made = await key.made(PIPELINES, wanted)
    assert made["team_id"] == source["team_id"]
    one = f"{PIPELINES}/{made['id']}"
    for step, state in (("start", "building"), ("stop", "paused")):
        answer = await key.ask("POST", f"{one}/{step}")
        assert (answer.status_code, answer.json()) == (202, {"id": made["id"], "state": state})
    run = await key.ask("POST", f"{SOURCES}/{source['id']}/sync")
    assert (run.status_code, run.json()["source_id"]) == (202, source["id"])
    assert (await key.ask("GET", f"{SOURCES}/{source['id']}")).json()["status"] == "building"
    listed = (await key.ask("GET", f"{PIPELINES}?state=building")).json()
    assert [each["id"] for each in listed["data"]] == [made["id"]]
    assert (await bob.get(f"/api/pipelines/{made['id']}")).json() == listed["data"][0]
    assert (await key.ask("DELETE", f"{SOURCES}/{source['id']}")).status_code == 409
    assert (await key.ask("DELETE", one)).status_code == 204
    assert (await key.ask("DELETE", f"{SOURCES}/{source['id']}")).status_code == 204


async def test_putting_a_pipeline_leaves_nothing_of_the_former_but_its_connectors(key: Key):
    source = await key.made(SOURCES, a_source())
    wanted = {"name": "orders", "existing_source_id": source["id"], **TARGET}
    made = await key.made(PIPELINES, {**wanted, "subscription_backfill": True})
    put = await key.ask("PUT", f"{PIPELINES}/{made['id']}", {"name": "renamed"})
    now = put.json()
    assert (now["name"], now["subscription_backfill"]) == ("renamed", False)
    assert (now["source_id"], now["target_id"]) == (made["source_id"], made["target_id"])
    assert (await key.ask("PUT", f"{PIPELINES}/{made['id']}", {})).status_code == 400


async def test_scopes_say_what_a_key_may(bob: Person, key: Key):
    made = await key.made(SOURCES, a_source())
    reader, sender = await key_of(bob, "read"), await key_of(bob, "ingest")
    assert (await reader.ask("GET", f"{SOURCES}/{made['id']}")).status_code == 200
    assert (await reader.ask("DELETE", f"{SOURCES}/{made['id']}")).status_code == 403
    assert (await sender.ask("GET", SOURCES)).status_code == 403
    assert (await Person(bob.edge).get(SOURCES)).status_code == 401


async def test_a_key_of_another_environment_finds_nothing(house: Edge, bob: Person, key: Key):
    made = await key.made(SOURCES, a_source())
    eve = await registered(house, EVE)
    await an_environment(eve, "elsewhere")
    other = await key_of(eve, "read", "admin")
    for method, path in (("GET", ""), ("PUT", ""), ("DELETE", ""), ("POST", "/sync")):
        answer = await other.ask(method, f"{SOURCES}/{made['id']}{path}", a_source())
        assert answer.status_code == 404, (method, path)
    taken = {"name": "mine", "existing_source_id": made["id"], **TARGET}
    assert (await other.ask("POST", PIPELINES, taken)).status_code == 404
    assert (await other.ask("GET", SOURCES)).json()["total"] == 0


async def test_a_user_sees_the_sources_of_his_teams(house: Edge, bob: Person, key: Key):
    made = await key.made(SOURCES, a_source())
    eve = await registered(house, EVE)
    team = await a_team(bob, "another")
    await bob.post(f"/api/teams/{team}/members/bulk", {"members": [eve.id]})
    assert (await eve.get(SOURCES)).json()["total"] == 0
    assert (await eve.get(f"{SOURCES}/{made['id']}")).status_code == 403
    assert (await eve.post(SOURCES, a_source())).json()["team_id"] == team
    assert (await bob.get(SOURCES)).json()["total"] == 2
