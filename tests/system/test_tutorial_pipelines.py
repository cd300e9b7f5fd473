"""The control face's tutorial from the first connector on, request by request: Kafka to Kafka."""

import json
import time
from collections.abc import Callable, Iterator
from typing import Any

import confluent_kafka
import httpx2
import pytest
from websockets.sync.client import connect

from tests.kafka import Kafka, a_kafka
from tests.system.test_tutorial import PASSWORD, Client, told

PATIENCE = 60.0
COLUMNS = [
    {"key": "user_id", "path": "$.user_id", "cast": "string", "primary_key": True}
    | {"nullable": False},
    {"key": "event_type", "path": "$.event_type", "cast": "string", "primary_key": False},
]
KAFKA_SOURCE = "/api/connector-types/kafka-source"


@pytest.fixture
def kafka() -> Iterator[Kafka]:
    with a_kafka() as kafka:
        kafka.make_topic("user-events", 1)
        kafka.make_topic("events", 1)
        yield kafka


@pytest.fixture
def john(new_service: Any) -> Client:
    """Signed in, with an environment."""
    service = new_service(HEADRACE_ALLOW_PRIVATE_TARGETS="true").start()
    john = Client(service.base_url)
    john.register("john.doe@company.com", PASSWORD)
    john.login("john.doe@company.com", PASSWORD)
    john.post("/api/envs/", {"name": "production-environment", "use_retention": True})
    return john


def put(kafka: Kafka, *users: str) -> None:
    producer = confluent_kafka.Producer({"bootstrap.servers": kafka.address})
    for user in users:
        value = {"user_id": user, "event_type": "click"}
        producer.produce("user-events", json.dumps(value), user)
    assert producer.flush(PATIENCE) == 0


def until(is_so: Callable[[], Any]) -> Any:
    deadline = time.monotonic() + PATIENCE
    while not (found := is_so()):
        assert time.monotonic() < deadline, "it never came"
        time.sleep(0.1)
    return found


def ask(john: Client, method: str, path: str, status: int, body: Any = None) -> Any:
    url = f"{john.server}{path}"
    return told(httpx2.request(method, url, json=body, headers=john.headers(), timeout=30), status)


def a_wanted_pipeline(team: str, kafka: Kafka) -> dict[str, Any]:
    return {
        "name": "kafka-to-kafka-pipeline",
        "team_id": team,
        "source_name": "kafka-events-source",
        "source_type": "KAFKA_SOURCE",
        "source_config": {"topic": "user-events", "bootstrap_servers": kafka.address}
        | {"consumer_group_id": "pipeline-consumer", "security_protocol": "PLAINTEXT"},
        "target_name": "kafka-target",
        "target_type": "KAFKA_TARGET",
        "target_config": {"bootstrap_server": kafka.address, "security_protocol": "PLAINTEXT"},
        "subscription_target_table_name": "events",
        "subscription_backfill": True,
        "subscription_mapper_config": COLUMNS,
    }


def test_a_kafka_is_tried_before_a_connector_is_made(john: Client, kafka: Kafka):
    put(kafka, "ada", "bob")
    config = {"bootstrap_servers": kafka.address, "topic": "user-events"}
    config |= {"security_protocol": "PLAINTEXT"}
    verdict = john.post(f"{KAFKA_SOURCE}/check-credentials", config, 200)
    assert verdict == {"valid": True, "message": "it works"}
    assert {"user-events", "events"} <= set(john.post(f"{KAFKA_SOURCE}/list-topics", config, 200))
    found = john.post(f"{KAFKA_SOURCE}/fetch-messages", config | {"limit": 2}, 200)
    assert [(one["key"], one["value"]["user_id"]) for one in found] == [
        ("ada", "ada"),
        ("bob", "bob"),
    ]
    kafka.stop()
    verdict = john.post(f"{KAFKA_SOURCE}/check-credentials", config, 200)
    assert (verdict["valid"], bool(verdict["message"])) == (False, True)


def test_the_tutorial_from_a_pipeline_to_its_logs(john: Client, kafka: Kafka):
    team = john.post("/api/teams/", {"name": "Data Engineering Team"})
    wanted = a_wanted_pipeline(team["id"], kafka)
    made = john.post("/api/pipelines/", wanted)
    connectors = {"existing_source_id": None, "existing_target_id": None}
    columns = {"subscription_mapper_config": made["subscription_mapper_config"]}
    stated = {"state": "draft", "version": 1, "team_name": "Data Engineering Team"}
    assert made | wanted | connectors | columns | stated == made
    one = f"/api/pipelines/{made['id']}"
    changed = ask(john, "PATCH", one, 200, {"name": "updated-pipeline-name"})
    assert (changed["name"], changed["version"]) == ("updated-pipeline-name", 1)
    put(kafka, "ada", "bob")
    assert ask(john, "POST", f"{one}/start", 202) == "BUILDING"
    until(lambda: john.get(one)["state"] == "live")
    assert written(kafka, 2) == ["ada", "bob"]
    assert heard(john, one)["pipeline_id"] == made["id"]
    assert john.get("/api/pipelines/count-status")["live"] == 1
    assert [each["id"] for each in john.get("/api/pipelines/?state=live")["items"]] == [made["id"]]
    assert ask(john, "POST", f"{one}/pause", 202) == "PAUSED"
    assert john.get(one)["state"] == "paused"
    ask(john, "DELETE", one, 204)
    ask(john, "GET", one, 404)


def written(kafka: Kafka, records: int) -> list[str]:
    """The users in the target's topic, once there are so many records."""
    group = {"group.id": "reader", "auto.offset.reset": "earliest"}
    consumer = confluent_kafka.Consumer({"bootstrap.servers": kafka.address, **group})
    consumer.assign([confluent_kafka.TopicPartition("events", 0, 0)])
    found: list[str] = []
    try:
        until(lambda: found.extend(users_in(consumer.poll(1.0))) or len(found) >= records)
    finally:
        consumer.close()
    return found


def users_in(message: Any) -> list[str]:
    if message is None or message.error():
        return []
    return [json.loads(message.value())["user_id"]]


def heard(john: Client, one: str) -> Any:
    """The first line over a WebSocket, opened as a browser does."""
    offered: Any = ["Authorization", john.token]
    url = f"{john.server.replace('http', 'ws')}{one}/logs"
    with connect(url, subprotocols=offered, proxy=None) as socket:
        return json.loads(socket.recv(PATIENCE))
