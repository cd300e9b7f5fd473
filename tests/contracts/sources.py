"""Sources of pipelines beside real systems, each behind a network that can be broken."""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any, NamedTuple

import pytest
from aiokafka import AIOKafkaProducer

from service.pipelines.connectors.protocol import Source, Surroundings
from service.pipelines.connectors.registry import config_of, kind_of
from tests.kafka import Kafka, a_kafka
from tests.proxy import Proxy, a_proxy

PATIENCE = 2.0


class Bench(NamedTuple):
    """A source under test: how it is opened, how records get into it, the network between."""

    kind: str
    settings: Mapping[str, Any]
    put: Callable[[int], Awaitable[None]]
    """Adds so many records, `n` counting on from 0."""
    proxy: Proxy | None = None
    """None where there is no network."""

    async def open(self, **settings: Any) -> Source:
        kind = kind_of(self.kind)
        config = config_of(kind, {**self.settings, **settings})
        assert kind.open_source
        return await kind.open_source(config, surroundings())


def surroundings() -> Surroundings:
    return Surroundings("t", "p", allow_private=True, patience=PATIENCE)


@asynccontextmanager
async def kafka_bench(_: pytest.FixtureRequest) -> AsyncIterator[Bench]:
    with a_kafka() as kafka:
        kafka.make_topic("orders", 3)
        async with a_proxy(kafka.port) as proxy:
            settings = {"topic": "orders", "bootstrap_servers": f"127.0.0.1:{proxy.port}"}
            yield Bench("KAFKA_SOURCE", settings, _Putting(kafka, proxy.port), proxy)


class _Putting:
    def __init__(self, kafka: Kafka, advertised: int) -> None:
        self._kafka = kafka
        self._advertised = advertised
        self._count = 0

    async def __call__(self, count: int) -> None:
        self._kafka.advertise("127.0.0.1", self._kafka.port)
        producer = AIOKafkaProducer(bootstrap_servers=self._kafka.address)
        await producer.start()
        for number in range(self._count, self._count + count):
            value = b'{"n": %d}' % number
            await producer.send("orders", value, key=b"k%d" % (number % 50))
        await producer.stop()
        self._count += count
        self._kafka.advertise("127.0.0.1", self._advertised)


BENCHES: Mapping[str, Callable[[pytest.FixtureRequest], AbstractAsyncContextManager[Bench]]] = {
    "KAFKA_SOURCE": kafka_bench,
}
