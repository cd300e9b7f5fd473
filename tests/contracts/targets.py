"""Targets of pipelines beside real systems, each behind a network that can be broken."""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from functools import partial
from typing import Any, NamedTuple

import asyncpg
import msgspec
import pytest
from aiokafka import AIOKafkaConsumer, TopicPartition
from nats.aio.client import Client
from nats.js.api import AckPolicy, ConsumerConfig

from service.pipelines.connectors.protocol import Surroundings, Target
from service.pipelines.connectors.registry import config_of, kind_of
from service.pipelines.model import Outgoing, Place
from tests.kafka import Kafka, a_kafka
from tests.proxy import Proxy, a_proxy
from tests.servers import PASSWORD, a_broker, met

PATIENCE = 2.0


class Bench(NamedTuple):
    """A target under test: how it is opened, what the system holds, and the network between."""

    kind: str
    settings: Mapping[str, Any]
    proxy: Proxy
    held: Callable[[str], Awaitable[Sequence[Mapping[str, Any]]]]
    """The records that a table of the system holds, those of one key in their order."""
    last_word: bytes = b""
    """What stands in the request after which the records are kept."""

    async def open(
        self, subscription: str = "sub", table: str = "orders", turned: int = 0
    ) -> Target:
        kind = kind_of(self.kind)
        config = config_of(kind, self.settings)
        around = Surroundings("t", "p", subscription, turned, table, True, patience=PATIENCE)
        assert kind.open_target
        return await kind.open_target(config, around)


def going(
    sequence: int, count: int, size: int = 0, primary_key: Sequence[str] = ()
) -> Sequence[Outgoing]:
    """Records numbered in `n`, of 50 different `id`s."""
    return [
        Outgoing(
            Place(sequence, index),
            {"id": f"k{index % 50}", "n": sequence * 100_000 + index, "text": "x" * size},
            primary_key,
            time=1_700_000_000_000 + index,
            key=f"k{index % 50}".encode(),
        )
        for index in range(count)
    ]


@asynccontextmanager
async def kafka_bench(_: pytest.FixtureRequest) -> AsyncIterator[Bench]:
    with a_kafka() as kafka:
        for topic in ("orders", "by_id"):
            kafka.make_topic(topic, 3)
        async with a_proxy(kafka.port) as proxy:
            kafka.advertise("127.0.0.1", proxy.port)
            settings = {"bootstrap_server": f"127.0.0.1:{proxy.port}"}
            yield Bench("KAFKA_TARGET", settings, proxy, partial(_in_kafka, kafka))


async def _in_kafka(kafka: Kafka, topic: str) -> Sequence[Mapping[str, Any]]:
    consumer = AIOKafkaConsumer(bootstrap_servers=kafka.address, enable_auto_commit=False)
    await consumer.start()
    places = [TopicPartition(topic, number) for number in range(3)]
    consumer.assign(places)
    await consumer.seek_to_beginning(*places)
    ends = await consumer.end_offsets(places)
    found: list[Mapping[str, Any]] = []
    while len(found) < sum(ends.values()):
        for records in (await consumer.getmany(timeout_ms=500)).values():
            found += [msgspec.json.decode(record.value) for record in records]
    await consumer.stop()
    return found


@asynccontextmanager
async def postgres_bench(request: pytest.FixtureRequest) -> AsyncIterator[Bench]:
    server = request.getfixturevalue("postgres")
    url = await server.new_database()
    connection = await asyncpg.connect(url)
    await connection.execute("CREATE TABLE orders (id text, n bigint, text text)")
    await connection.execute("CREATE TABLE by_id (id text PRIMARY KEY, n bigint, text text)")
    async with a_proxy(server.port) as proxy:
        settings = {
            "host": "127.0.0.1", "port": proxy.port, "database": url.rpartition("/")[2],
            "user": "headrace", "password": PASSWORD, "place_table": "places",
            "create_place_table": True,
        }  # fmt: skip
        yield Bench(
            "POSTGRES_TARGET", settings, proxy, partial(_in_postgres, connection), b"COMMIT"
        )
    await connection.close()


async def _in_postgres(connection: asyncpg.Connection, table: str) -> Sequence[Mapping[str, Any]]:
    return [dict(row) for row in await connection.fetch(f"SELECT * FROM {table}")]


@asynccontextmanager
async def nats_bench(_: pytest.FixtureRequest) -> AsyncIterator[Bench]:
    with a_broker() as server:
        client = await met(server)
        for subject in ("orders", "by_id"):
            await client.jetstream().add_stream(name=subject, subjects=[subject])
        async with a_proxy(server.port) as proxy:
            settings = {"servers": f"127.0.0.1:{proxy.port}"}
            settings |= {"user": "headrace", "password": PASSWORD}
            yield Bench("NATS_TARGET", settings, proxy, partial(_in_nats, client))
        await client.close()


async def _in_nats(client: Client, subject: str) -> Sequence[Mapping[str, Any]]:
    count = (await client.jetstream().stream_info(subject)).state.messages
    unasked = ConsumerConfig(ack_policy=AckPolicy.NONE)
    reader = await client.jetstream().pull_subscribe(subject, stream=subject, config=unasked)
    found: list[Mapping[str, Any]] = []
    while len(found) < count:
        found += [msgspec.json.decode(one.data) for one in await reader.fetch(500)]
    return found


BENCHES: Mapping[str, Callable[[pytest.FixtureRequest], AbstractAsyncContextManager[Bench]]] = {
    "KAFKA_TARGET": kafka_bench,
    "NATS_TARGET": nats_bench,
    "POSTGRES_TARGET": postgres_bench,
}
