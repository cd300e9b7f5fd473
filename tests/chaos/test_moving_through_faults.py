"""Kafka -> mapper -> (Kafka, PostgreSQL, our store), over a bad network, with a worker that dies at
each of its named points: nothing is lost, nothing doubled, and each key keeps its order.

HEADRACE_TEST_PIPELINE_RECORDS says how many records are moved; `make chaos` moves 200,000.
"""

import asyncio
import os
import random
import secrets
import signal
import sys
from collections import Counter
from collections.abc import AsyncIterator, Coroutine, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import msgspec
import pytest
from confluent_kafka import Producer

from service.crash import EXIT_CODE, POINTS
from service.ending import cancelled
from service.pipelines.bus import open_bus
from service.pipelines.model import Assignment, ConnectorConfig
from service.pipelines.positions import Positions
from service.pipelines.refusals import open_refusals
from service.stream.jetstream import JetStream, open_jetstream
from service.stream.nats_child import NatsChild
from tests.building import TENANT
from tests.chaos.carrier import Orders
from tests.chaos.ways_out import (
    PARTITIONS,
    Held,
    WayOut,
    into_kafka,
    into_postgres,
    into_the_warehouse,
)
from tests.kafka import Kafka, a_kafka
from tests.proxy import Proxy, a_proxy
from tests.servers import Postgres

RECORDS = int(os.environ.get("HEADRACE_TEST_PIPELINE_RECORDS", "2000"))
PLACES = [point for point in POINTS if point.startswith("pipeline.")]
ROUNDS = max(1, RECORDS // 50_000)
"""How often it dies at each of them."""
BUS_BYTES = 90 * RECORDS // ROUNDS
"""So little that what every target has is forgotten on the way: a record takes 67 bytes there."""
WITHIN = 60 + RECORDS / 500
PATIENCE = 3.0
"""Seconds that a worker with nothing left to do has to forget what it need not keep, and to die."""
KEYS = 997
_ROOT = Path(__file__).parents[2]


def a_record(n: int) -> bytes:
    """One in a hundred has a price that is none."""
    price = "nothing" if n % 100 == 13 else "3.5"
    user = {"id": f"u{n % KEYS}", "mail": f"{secrets.token_hex(60)}@example.com"}
    shop = {"kind": "order", "geo": {"country": "de"}, "sku": "x-1"}
    told = {"n": str(n), "price": price, "at": "2026-01-01T00:00:00Z", "user": user, **shop}
    return msgspec.json.encode(told)


def expected() -> dict[str, list[int]]:
    """The numbers of each key, in their order."""
    good = [n for n in range(RECORDS) if n % 100 != 13]
    return {f"u{key}": [n for n in good if n % KEYS == key] for key in range(KEYS)}


class Town:
    """The broker of Kafka, ours, the networks to them, and the records that were put there."""

    def __init__(self, kafka: Kafka, networks: Sequence[Proxy]) -> None:
        self.kafka = kafka
        self.networks = networks
        self.put = 0

    def pipeline(self, ways: Sequence[WayOut]) -> Assignment:
        servers = f"127.0.0.1:{self.networks[0].port}"
        source = ConnectorConfig("KAFKA_SOURCE", {"topic": "orders", "bootstrap_servers": servers})
        return Assignment("p", 1, TENANT, source, [way.subscription for way in ways])

    def put_more(self, until: int) -> None:
        """Straight to the broker, past the network that the worker has."""
        self.kafka.advertise("127.0.0.1", self.kafka.port)
        producer = Producer({"bootstrap.servers": self.kafka.address, "linger.ms": 5})
        for n in range(self.put, until):
            producer.produce("orders", a_record(n), f"u{n % KEYS}")
            producer.poll(0)
        assert producer.flush(60) == 0
        self.put = until
        self.kafka.advertise("127.0.0.1", self.networks[0].port)


async def trouble(networks: Sequence[Proxy], dice: random.Random) -> None:
    """One network after the other is slow, cut, half open, or loses answers, for a moment."""
    while True:
        one, fault = dice.choice(networks), dice.randrange(4)
        if fault == 0:
            one.latency = 0.05
        elif fault == 1:
            one.cut_after(dice.randrange(100_000))
        else:
            setattr(one, ("loses_requests", "loses_answers")[fault - 2], True)
        await asyncio.sleep(dice.uniform(0.1, 1.5))
        one.heal()
        await asyncio.sleep(dice.uniform(0.1, 1.5))


@asynccontextmanager
async def in_trouble(networks: Sequence[Proxy], dice: random.Random) -> AsyncIterator[None]:
    making = asyncio.create_task(trouble(networks, dice))
    try:
        yield
    finally:
        await cancelled(making)
        for one in networks:
            one.heal()


@asynccontextmanager
async def a_worker(orders: Orders, crash_at: str = "") -> AsyncIterator[asyncio.subprocess.Process]:
    """It does not outlive the block."""
    told = msgspec.json.encode(orders).decode()
    around = {**os.environ, "HEADRACE_CRASH_AT": crash_at}
    command = [sys.executable, "-m", "tests.chaos.carrier", told]
    worker = await asyncio.create_subprocess_exec(*command, cwd=_ROOT, env=around)
    try:
        yield worker
    finally:
        if worker.returncode is None:
            worker.kill()
            await worker.wait()


async def until_moved(stream: JetStream, assignment: Assignment, records: int) -> None:
    """Until every subscription has done with so many records."""
    bus = await open_bus(stream, "p", BUS_BYTES)
    positions = await Positions.on(stream)
    marks = [positions.mark("p", one.id, "judge") for one in assignment.subscriptions]
    async with asyncio.timeout(WITHIN):
        while True:
            head = await bus.head()
            read = sum((head.cursor or {}).get("offsets", {}).values())
            done = [found.sequence for mark in marks if (found := await mark.load())]
            if read == records and done == [head.sequence] * len(marks):
                return
            await asyncio.sleep(0.1)


async def ended(worker: asyncio.subprocess.Process) -> None:
    """Told to end, it stores what it sent."""
    worker.send_signal(signal.SIGTERM)
    assert await asyncio.wait_for(worker.wait(), WITHIN) == 0


def assert_whole(held: Held) -> None:
    """Every record that is none of the refused, once, those of one key in their order."""
    found: dict[str, list[int]] = {}
    for key, n in held:
        found.setdefault(key, []).append(n)
    wanted = expected()
    assert {k: ns for k, ns in found.items() if ns != wanted[k]} == {}
    assert found.keys() == wanted.keys()


async def assert_refused(stream: JetStream, assignment: Assignment) -> None:
    """Each of the refused is a dead letter of each subscription, once."""
    refusals = await open_refusals(stream, "p", BUS_BYTES)
    bad = range(13, RECORDS, 100)
    for one in assignment.subscriptions:
        letters = await refusals.list(0, RECORDS, one.id)
        assert Counter(int(k.letter.message.value["n"]) for k in letters) == Counter(bad)


@pytest.fixture
async def url(tmp_path) -> AsyncIterator[str]:
    child = NatsChild(tmp_path / "stream")
    await child.start()
    yield child.url
    await child.stop()


@asynccontextmanager
async def a_town(postgres: Postgres, folder: Path) -> AsyncIterator[tuple[Town, Sequence[WayOut]]]:
    with a_kafka() as kafka:
        kafka.make_topic("orders", PARTITIONS)
        async with a_proxy(kafka.port) as line, into_postgres(postgres) as (rows, to_postgres):
            ways = [into_kafka(kafka, line), rows, into_the_warehouse(folder)]
            yield Town(kafka, [line, to_postgres]), ways


@pytest.mark.timeout(60 + WITHIN * (len(PLACES) * ROUNDS + 1))
async def test_nothing_is_lost_or_doubled_whatever_dies_and_whatever_the_network_does(
    tmp_path, postgres, dice, url
):
    async with a_town(postgres, tmp_path / "data") as (town, ways):
        orders = Orders(url, str(tmp_path / "data"), BUS_BYTES, town.pipeline(ways))
        async with connected(url) as stream:
            assert await die_everywhere(stream, town, orders, dice) == set(PLACES)
            await finish(stream, town, orders, dice)
            for way in ways:
                assert_whole(await way.held())
            await assert_refused(stream, orders.assignment)


@asynccontextmanager
async def connected(url: str) -> AsyncIterator[JetStream]:
    stream = await open_jetstream(url, 1 << 28, 120)
    yield stream
    await stream.close()


async def finish(stream: JetStream, town: Town, orders: Orders, dice: random.Random) -> None:
    async with a_worker(orders) as worker:
        async with in_trouble(town.networks, dice):
            await asyncio.sleep(1)
        await until_moved(stream, orders.assignment, RECORDS)
        await ended(worker)


async def die_everywhere(
    stream: JetStream, town: Town, orders: Orders, dice: random.Random
) -> set[str]:
    """As more and more records come, a worker dies at each of its points, in turn, or is killed
    when it never comes there; the points at which one died.
    """
    deaths, died = PLACES * ROUNDS, set()
    for number, point in enumerate(deaths, start=1):
        town.put_more(RECORDS * number // len(deaths))
        times = 1 if number <= len(PLACES) else dice.randrange(1, 4)
        idle = until_moved(stream, orders.assignment, town.put)
        dying = a_worker(orders, f"{point}:{times}")
        async with dying as worker, in_trouble(town.networks, dice):
            if await dies(worker, idle):
                died.add(point)
    return died


async def dies(worker: asyncio.subprocess.Process, idle: Coroutine[Any, Any, None]) -> bool:
    """Whether it dies by itself, at the latest when it has had nothing left to do for a while."""
    dying, idling = asyncio.create_task(worker.wait()), asyncio.create_task(idle)
    try:
        await asyncio.wait({dying, idling}, return_when=asyncio.FIRST_COMPLETED)
        await asyncio.wait({dying}, timeout=PATIENCE)
        return worker.returncode == EXIT_CODE
    finally:
        await cancelled(dying, idling)
