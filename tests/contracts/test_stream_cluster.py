"""The stream on three brokers: what was acknowledged outlives any one of them."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from service.errors import IngestionUnavailable
from service.stream import subjects
from service.stream.jetstream import JetStream, open_jetstream
from tests.servers import Server, three_brokers, url_of_broker


@pytest.fixture
def brokers():
    with three_brokers() as servers:
        yield servers


@pytest.fixture
async def stream(brokers: list[Server]) -> AsyncIterator[JetStream]:
    servers = ", ".join(url_of_broker(broker) for broker in brokers)
    opened = await open_jetstream(servers, 1 << 28, 120, None, 3)
    yield opened
    await opened.close()


async def leader_of(stream: JetStream) -> int:
    info = await stream._api(f"STREAM.INFO.{subjects.EVENTS}")
    assert len(info["cluster"]["replicas"]) == 2
    return int(info["cluster"]["leader"].removeprefix("nats-"))


async def publish(stream: JetStream, name: str) -> int:
    """As the door's callers do: the same message until it is acknowledged."""
    while True:
        try:
            return (await stream.publish("env_test", name, b"body of " + name.encode(), 5)).sequence
        except IngestionUnavailable:
            await asyncio.sleep(0.05)


async def heard(stream: JetStream, sequence: int) -> tuple[int, str | None]:
    """How far the stream says that it is, and the id at a place."""
    while True:
        try:
            return (await stream.state()).last_sequence, await stream.message_id(sequence)
        except ConnectionError:
            await asyncio.sleep(0.05)


# NATS' client leaves the socket of a server that died to the garbage collector.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.chaos
async def test_what_was_acknowledged_is_never_denied_by_the_next_leader(brokers, stream):
    known = {await publish(stream, "before"): "before"}
    for kill in range(2):
        dead = brokers[await leader_of(stream)]
        dead.end()
        for n in range(20):
            sequence = await publish(stream, f"{kill}-{n}")
            known[sequence] = f"{kill}-{n}"
            assert await heard(stream, sequence) >= (sequence, f"{kill}-{n}")
        dead.start()
        await asyncio.sleep(2)
    found = await stream.read(0, 256, 1)
    assert [(m.sequence, m.id) for m in found] == sorted(known.items())
