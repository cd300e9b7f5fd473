"""NATS_SOURCE and NATS_TARGET on a real server: what is theirs alone."""

from collections.abc import AsyncIterator
from typing import NamedTuple

import pytest
from nats.aio.client import Client

from service.errors import ConnectorBroken, InvalidInput, SourceUnavailable
from service.pipelines.connectors.protocol import Surroundings
from service.pipelines.connectors.registry import config_of, kind_of
from service.pipelines.model import Outgoing, Place
from tests.servers import PASSWORD, a_broker, met

SOURCE, TARGET = kind_of("NATS_SOURCE"), kind_of("NATS_TARGET")
SIGNED_IN = {"user": "headrace", "password": PASSWORD}


class Broker(NamedTuple):
    client: Client
    port: int

    def source(self, **settings):
        there = {"servers": f"127.0.0.1:{self.port}", "stream": "ORDERS", **SIGNED_IN}
        return config_of(SOURCE, {**there, **settings})

    def target(self):
        return config_of(TARGET, {"servers": f"127.0.0.1:{self.port}", **SIGNED_IN})


def around(**given):
    return Surroundings("t", "p", "s", **{"allow_private": True, "patience": 5.0, **given})


@pytest.fixture
async def broker() -> AsyncIterator[Broker]:
    with a_broker() as server:
        client = await met(server)
        await client.jetstream().add_stream(name="ORDERS", subjects=["orders.>"])
        yield Broker(client, server.port)
        await client.close()


async def test_one_subject_of_a_stream_may_be_read(broker) -> None:
    for subject in ("orders.a", "orders.b"):
        await broker.client.jetstream().publish(subject, b"[1]", headers={"h": "v"})
    source = await SOURCE.open_source(broker.source(subject="orders.b"), around())
    [message] = (await source.read(None, 10, 2)).messages
    await source.close()
    assert message.value == {"value": [1]}
    assert message.metadata == {"subject": "orders.b", "sequence": 2, "headers": {"h": "v"}}


async def test_streams_are_listed_and_the_newest_messages_fetched(broker) -> None:
    for number in range(5):
        await broker.client.jetstream().publish("orders.a", b"%d" % number)
    assert await SOURCE.topics(broker.source(), around()) == ["ORDERS"]
    newest = await SOURCE.fetch(broker.source(), around(), "", 2)
    assert [message.value["value"] for message in newest] == [3, 4]


@pytest.mark.parametrize(
    ("settings", "error", "told"),
    [({"password": "not-the-password"}, ConnectorBroken, "(?i)authorization"),
     ({"stream": "NOPE"}, ConnectorBroken, "stream not found"),
     ({"servers": "127.0.0.1:1"}, SourceUnavailable, "NATS: "),
     ({"servers": "a b"}, InvalidInput, "no host and port")],
)  # fmt: skip
async def test_a_check_says_what_is_wrong_and_no_secret(broker, settings, error, told) -> None:
    with pytest.raises(error, match=told) as raised:
        await SOURCE.check(broker.source(**settings), around())
    assert "not-the-password" not in str(raised.value)


async def test_a_private_server_is_refused_naming_the_option(broker) -> None:
    with pytest.raises(InvalidInput, match="private network") as raised:
        await TARGET.check(broker.target(), around(allow_private=False))
    assert raised.value.field == "servers"


async def test_a_subject_that_no_stream_takes_is_told(broker) -> None:
    for table in ("", "nobody"):
        with pytest.raises(ConnectorBroken, match="subject"):
            await TARGET.open_target(broker.target(), around(table=table))


async def test_a_record_that_is_too_large_is_refused_alone(broker) -> None:
    target = await TARGET.open_target(broker.target(), around(table="orders.a"))
    large = broker.client.max_payload
    batch = [Outgoing(Place(1, n), {"x": "y" * (large if n == 1 else 1)}) for n in range(3)]
    [refused] = await target.write(batch)
    await target.close()
    assert refused.place == Place(1, 1)
    assert (await broker.client.jetstream().stream_info("ORDERS")).state.messages == 2
