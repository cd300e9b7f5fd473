"""Records out of a topic of Kafka, mapped, into the event store: how fast a pipeline carries them.

python -m loadtests.piped [RECORDS]     alone, without the rest of the bench
"""

import asyncio
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import httpx2
import msgspec
from aiokafka import AIOKafkaConsumer, TopicPartition
from confluent_kafka import Producer

from loadtests.figures import Figure
from loadtests.mapper import COLUMNS, a_message, mapped_a_second
from loadtests.processes import Failed, Subject, headrace
from loadtests.scale import SCALES, Scale
from tests.kafka import Kafka, a_kafka

PARTITIONS = 16
SPEED = 50_000.0
MAPPED = 300_000.0
_RECORDS = {"smoke": 5_000, "quick": 100_000}
_MOST = 200_000
"""Records; the broker keeps no more than 5 MB of a partition."""
_PATIENCE = 120.0
_ADA = {"email": "ada@example.com", "password": "MySecurePassword123!"}


async def piped(scale: Scale, folder: Path) -> list[Figure]:
    """Eight paths and three casts from Kafka into the store, beside a bare reading of the topic,
    and the mapper alone.
    """
    return await _measured(_RECORDS.get(scale.name, _MOST), folder)


async def _measured(records: int, folder: Path) -> list[Figure]:
    with a_kafka() as kafka:
        _fill(kafka, records)
        bare = await _bare(kafka, records)
        with headrace(folder, HEADRACE_ALLOW_PRIVATE_TARGETS="true") as service:
            rate, cost = await _carried(kafka, service, records)
    return [
        Figure(
            name="piped.rate",
            about="Kafka to the store through a mapper of 8 paths and 3 casts",
            value=rate,
            unit="records/s",
            target=SPEED,
            limit=bare,
            limit_about="a bare consumer that only reads the topic",
        ),
        Figure(
            name="piped.cost",
            about="… processor time a record, the service and its stream",
            value=cost,
            unit="µs",
            better="less",
        ),
        Figure(
            name="piped.mapper",
            about="… the mapper alone, a second of a core",
            value=mapped_a_second(),
            unit="records/s",
            target=MAPPED,
        ),
    ]


def _fill(kafka: Kafka, records: int) -> None:
    kafka.make_topic("orders", PARTITIONS)
    producer = Producer({"bootstrap.servers": kafka.address, "linger.ms": 5})
    for number in range(records):
        producer.produce("orders", msgspec.json.encode(a_message(number)), f"u{number}")
        producer.poll(0)
    if producer.flush(60):
        raise Failed("the broker did not take the records")


async def _bare(kafka: Kafka, records: int) -> float:
    """Records a second of the client that the pipeline reads with."""
    consumer = AIOKafkaConsumer(bootstrap_servers=kafka.address, enable_auto_commit=False)
    await consumer.start()
    places = [TopicPartition("orders", number) for number in range(PARTITIONS)]
    consumer.assign(places)
    await consumer.seek_to_beginning(*places)
    began, left = time.perf_counter(), records
    while left > 0:
        got = await consumer.getmany(timeout_ms=1000, max_records=5_000)
        left -= sum(map(len, got.values()))
    seconds = time.perf_counter() - began
    await consumer.stop()
    return records / seconds


async def _carried(kafka: Kafka, service: Subject, records: int) -> tuple[float, float]:
    """Records that were counted a second, and the processor time of each (µs)."""
    async with httpx2.AsyncClient(base_url=service.url, timeout=30) as client:
        key = await _start(client, kafka)
        before, deadline = service.cpu_seconds, time.perf_counter() + _PATIENCE
        first, began = 0, time.perf_counter()
        while (counted := await _counted(client, key)) < records:
            if not first and counted:
                first, began = counted, time.perf_counter()
            if time.perf_counter() > deadline:
                raise Failed(f"{counted} of {records} records were counted")
            await asyncio.sleep(0.1)
        seconds = time.perf_counter() - began
    return (records - first) / seconds, (service.cpu_seconds - before) / records * 1e6


async def _start(client: httpx2.AsyncClient, kafka: Kafka) -> str:
    """Make and start the pipeline; a key that reads what it counts."""
    await _call(client, "/api/auth/register", json=_ADA)
    form = {"username": _ADA["email"], "password": _ADA["password"]}
    token = (await _call(client, "/api/auth/jwt/login", data=form))["access_token"]
    client.headers["authorization"] = f"Bearer {token}"
    await _call(client, "/api/envs", json={"name": "bench"})
    made = await _call(client, "/api/auth/api-key", json={"name": "k", "scopes": ["read"]})
    team = await _call(client, "/api/teams", json={"name": "bench"})
    pipeline = await _call(client, "/api/pipelines", json=_pipeline(kafka, team["id"]))
    await _call(client, f"/api/pipelines/{pipeline['id']}/start")
    key: str = made["data"]["apiKey"]
    return key


def _pipeline(kafka: Kafka, team: str) -> dict[str, Any]:
    source = {"topic": "orders", "bootstrap_servers": kafka.address}
    return {
        "name": "orders",
        "team_id": team,
        "source_name": "orders-in",
        "source_type": "KAFKA_SOURCE",
        "source_config": source,
        "target_name": "orders-out",
        "target_type": "WAREHOUSE_TARGET",
        "target_config": {"event_type": "order"},
        "subscription_mapper_config": COLUMNS,
    }


async def _counted(client: httpx2.AsyncClient, key: str) -> int:
    answer = await client.get("/api/v1/events/stats", headers={"x-api-key": key})
    total: int = answer.json()["data"]["totalIngested"]
    return total


async def _call(client: httpx2.AsyncClient, path: str, **more: Any) -> Any:
    answer = await client.post(path, **more)
    if answer.status_code >= 300:
        raise Failed(f"{path}: {answer.text}")
    return answer.json()


def main() -> None:
    """Print the figures."""
    records = int(sys.argv[1]) if len(sys.argv) > 1 else _RECORDS[SCALES["quick"].name]
    with tempfile.TemporaryDirectory(prefix="headrace-piped-") as folder:
        for figure in asyncio.run(_measured(records, Path(folder))):
            limit = f" of {figure.limit:,.0f} ({figure.limit_about})" if figure.limit else ""
            print(f"{figure.about}: {figure.value:,.1f} {figure.unit}{limit}")


if __name__ == "__main__":
    main()
