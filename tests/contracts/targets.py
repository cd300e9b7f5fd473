"""Targets of pipelines beside real systems, each behind a network that can be broken."""

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any, NamedTuple

import msgspec
from aiokafka import AIOKafkaConsumer, TopicPartition

from service.pipelines.connectors.protocol import Surroundings, Target
from service.pipelines.connectors.registry import config_of, kind_of
from service.pipelines.model import Outgoing, Place
from tests.kafka import Kafka, a_kafka
from tests.proxy import Proxy, a_proxy

PATIENCE = 2.0


class Bench(NamedTuple):
    """A target under test: how it is opened, what the system holds, and the network between."""

    kind: str
    settings: Mapping[str, Any]
    proxy: Proxy
    held: Callable[[], Any]
    """Awaitable: the records that the system holds, those of one key in their order."""

    async def open(self, subscription: str = "sub", **settings: Any) -> Target:
        kind = kind_of(self.kind)
        config = config_of(kind, {**self.settings, **settings})
        around = Surroundings(
            "t", "p", subscription, "orders", allow_private=True, patience=PATIENCE
        )
        assert kind.open_target
        return await kind.open_target(config, around)


def going(
    sequence: int, count: int, size: int = 0, primary_key: Sequence[str] = ("n",)
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
async def kafka_bench() -> AsyncIterator[Bench]:
    with a_kafka() as kafka:
        kafka.make_topic("orders", 3)
        async with a_proxy(kafka.port) as proxy:
            kafka.advertise("127.0.0.1", proxy.port)
            settings = {"bootstrap_server": f"127.0.0.1:{proxy.port}"}
            yield Bench("KAFKA_TARGET", settings, proxy, lambda: _in_kafka(kafka))


async def _in_kafka(kafka: Kafka) -> Sequence[Mapping[str, Any]]:
    consumer = AIOKafkaConsumer(bootstrap_servers=kafka.address, enable_auto_commit=False)
    await consumer.start()
    places = [TopicPartition("orders", number) for number in range(3)]
    consumer.assign(places)
    await consumer.seek_to_beginning(*places)
    ends = await consumer.end_offsets(places)
    found: list[Mapping[str, Any]] = []
    while len(found) < sum(ends.values()):
        for records in (await consumer.getmany(timeout_ms=500)).values():
            found += [msgspec.json.decode(record.value) for record in records]
    await consumer.stop()
    return found


BENCHES: Mapping[str, Callable[[], AbstractAsyncContextManager[Bench]]] = {
    "KAFKA_TARGET": kafka_bench,
}
