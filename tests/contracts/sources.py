"""Sources of pipelines beside real systems, each behind a network that can be broken."""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from aiokafka import AIOKafkaProducer

from service.pipelines.connectors.protocol import Source, Surroundings
from service.pipelines.connectors.registry import config_of, kind_of
from tests.kafka import Kafka, a_kafka
from tests.proxy import Proxy, a_proxy
from tests.servers import PASSWORD, a_broker, met

PATIENCE = 2.0


class Bench(NamedTuple):
    """A source under test: how it is opened, how records get into it, the network between."""

    kind: str
    settings: Mapping[str, Any]
    put: Callable[[int], Awaitable[None]]
    """Adds so many records, `n` counting on from 0."""
    proxy: Proxy | None = None
    """None where there is no network."""
    files: Path | None = None

    async def open(self, **settings: Any) -> Source:
        kind = kind_of(self.kind)
        config = config_of(kind, {**self.settings, **settings})
        assert kind.open_source
        around = Surroundings("t", "p", allow_private=True, patience=PATIENCE, files=self.files)
        return await kind.open_source(config, around)


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


@asynccontextmanager
async def csv_bench(request: pytest.FixtureRequest) -> AsyncIterator[Bench]:
    folder = request.getfixturevalue("tmp_path")
    file = folder / "orders.csv"
    file.write_text("n,text\n")
    count = 0

    async def put(more: int) -> None:
        nonlocal count
        with file.open("a") as opened:
            opened.writelines(f'{number},"a\nb"\n' for number in range(count, count + more))
        count += more

    yield Bench("CSV_SOURCE", {"path": "orders.csv"}, put, files=folder)


@asynccontextmanager
async def nats_bench(_: pytest.FixtureRequest) -> AsyncIterator[Bench]:
    with a_broker() as server:
        client = await met(server)
        await client.jetstream().add_stream(name="ORDERS", subjects=["orders"])
        count = 0

        async def put(more: int) -> None:
            nonlocal count
            for number in range(count, count + more):
                await client.jetstream().publish("orders", b'{"n": %d}' % number)
            count += more

        async with a_proxy(server.port) as proxy:
            settings = {"servers": f"127.0.0.1:{proxy.port}", "stream": "ORDERS"}
            settings |= {"user": "headrace", "password": PASSWORD}
            yield Bench("NATS_SOURCE", settings, put, proxy)
        await client.close()


BENCHES: Mapping[str, Callable[[pytest.FixtureRequest], AbstractAsyncContextManager[Bench]]] = {
    "CSV_SOURCE": csv_bench,
    "KAFKA_SOURCE": kafka_bench,
    "NATS_SOURCE": nats_bench,
}
