"""KAFKA_SOURCE and KAFKA_TARGET on a real broker: what is theirs alone.

With HEADRACE_TEST_KAFKA (the options of a source, as JSON) another one is asked as well: the tests'
own speaks TLS through a proxy alone, and no SASL.
"""

import asyncio
import json
import os
import ssl
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition

from service.errors import ConnectorBroken, InvalidInput, SourceUnavailable
from service.pipelines.connectors.decoding import decoded
from service.pipelines.connectors.protocol import Surroundings
from service.pipelines.connectors.registry import config_of, kind_of
from service.pipelines.model import Outgoing, Place
from tests.certificates import write_certificate
from tests.kafka import Kafka, a_kafka
from tests.proxy import Proxy

SOURCE, TARGET = kind_of("KAFKA_SOURCE"), kind_of("KAFKA_TARGET")
REAL = os.environ.get("HEADRACE_TEST_KAFKA", "")
NOT_LEADER = 6
TOO_LARGE = 10
PRODUCE = 0


@pytest.fixture
def kafka() -> Iterator[Kafka]:
    with a_kafka() as broker:
        broker.make_topic("orders", 2)
        yield broker


def around(**given) -> Surroundings:
    there = {"allow_private": True, "patience": 3.0, "table": "orders", **given}
    return Surroundings("t", "p", "s", **there)


def source_of(kafka, **settings):
    return config_of(SOURCE, {"topic": "orders", "bootstrap_servers": kafka.address, **settings})


async def put(kafka, *values, topic="orders", partition=0, **more) -> None:
    producer = AIOKafkaProducer(bootstrap_servers=kafka.address)
    await producer.start()
    for value in values:
        await producer.send_and_wait(topic, value, partition=partition, **more)
    await producer.stop()


@asynccontextmanager
async def behind_tls(kafka, folder) -> AsyncIterator[str]:
    """The broker behind TLS on `localhost`; what it is told goes through there from now on."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(*write_certificate(folder, "localhost"))
    proxy = Proxy(kafka.port)
    server = await asyncio.start_server(proxy.serve, "127.0.0.1", 0, ssl=context)
    port = server.sockets[0].getsockname()[1]
    kafka.advertise("localhost", port)
    try:
        yield f"localhost:{port}"
    finally:
        server.close()
        await proxy.end()
        await server.wait_closed()


async def first_of(kafka, **settings):
    source = await SOURCE.open_source(source_of(kafka, **settings), around())
    try:
        return (await source.read(None, 10, 2)).messages
    finally:
        await source.close()


@pytest.fixture
async def target(kafka) -> AsyncIterator:
    config = config_of(TARGET, {"bootstrap_server": kafka.address})
    opened = await TARGET.open_target(config, around())
    yield opened
    await opened.close()


async def records_of(kafka, topic="orders") -> Sequence:
    consumer = AIOKafkaConsumer(bootstrap_servers=kafka.address, enable_auto_commit=False)
    await consumer.start()
    places = [TopicPartition(topic, 0), TopicPartition(topic, 1)]
    consumer.assign(places)
    await consumer.seek_to_beginning(*places)
    ends, found = await consumer.end_offsets(places), []
    while len(found) < sum(ends.values()):
        for records in (await consumer.getmany(timeout_ms=200)).values():
            found += records
    await consumer.stop()
    return found


@pytest.mark.parametrize(
    ("value", "read"),
    [(b'{"a": 1}', {"a": 1}), (b"[1]", {"value": [1]}), (b"7", {"value": 7}),
     (b"plain", {"value": "plain"}), (b"\xff\x00", {"value": "/wA="}), (None, {"value": None}),
     (b"", {"value": ""}), (b"[" * 100_000, {"value": "[" * 100_000})],
)  # fmt: skip
def test_a_value_that_is_no_object_becomes_one(value, read) -> None:
    assert decoded(value) == read


async def test_metadata_come_along_when_they_are_asked_for(kafka) -> None:
    await put(kafka, b'{"a": 1}', key=b"k", headers=[("h", b"v")], timestamp_ms=1_700_000_000_000)
    [message] = await first_of(kafka, include_metadata=True)
    assert message.value["_metadata"] == {
        "topic": "orders", "partition": 0, "offset": 0, "timestamp": 1_700_000_000_000,
        "key": "k", "headers": {"h": "v"},
    }  # fmt: skip
    assert (message.key, message.time) == (b"k", 1_700_000_000_000)
    [plain] = await first_of(kafka)
    assert plain.value == {"a": 1}


async def test_a_pipeline_may_begin_at_the_end(kafka) -> None:
    await put(kafka, b"1")
    source = await SOURCE.open_source(source_of(kafka, start="latest"), around())
    begun = await source.read(None, 10, 0.1)
    await put(kafka, b"2")
    found = await source.read(begun.cursor, 10, 2)
    await source.close()
    assert begun.messages == []
    assert [message.value for message in found.messages] == [{"value": 2}]


async def test_records_that_were_deleted_unread_stop_the_pipeline_and_say_which(kafka) -> None:
    await put(kafka, *[b"1"] * 5)
    kafka.forget("orders", 0, before=3)
    behind = {"offsets": {"0": 1, "1": 0}}
    source = await SOURCE.open_source(source_of(kafka), around())
    with pytest.raises(ConnectorBroken, match="partition 0 from 1 to 2"):
        await source.read(behind, 10, 2)
    await source.close()


async def test_records_that_were_deleted_unread_may_be_passed_over(kafka) -> None:
    await put(kafka, *[b"%d" % number for number in range(5)])
    kafka.forget("orders", 0, before=3)
    source = await SOURCE.open_source(source_of(kafka, on_lost="continue"), around())
    cursor, found = {"offsets": {"0": 1, "1": 0}}, []
    while len(found) < 2:
        taken = await source.read(cursor, 10, 2)
        cursor, found = taken.cursor, [*found, *taken.messages]
    await source.close()
    assert [message.value["value"] for message in found] == [3, 4]


async def test_topics_are_listed_and_the_newest_messages_fetched(kafka) -> None:
    kafka.make_topic("clicks", 2)
    for number in range(6):
        time = 1_700_000_000_000 + number
        value = b"%d" % number
        await put(kafka, value, topic="clicks", partition=number % 2, timestamp_ms=time)
    config = source_of(kafka)
    assert await SOURCE.topics(config, around()) == ["clicks", "orders"]
    newest = await SOURCE.fetch(config, around(), "clicks", 3)
    assert [message.value["value"] for message in newest] == [3, 4, 5]


@pytest.mark.parametrize(
    ("settings", "error", "told"),
    [({"topic": "nope"}, ConnectorBroken, "there is no topic 'nope'"),
     ({"bootstrap_servers": "127.0.0.1:1"}, SourceUnavailable, "127.0.0.1:1: "),
     ({"bootstrap_servers": "nobody.invalid"}, SourceUnavailable, "nobody.invalid:9092: "),
     ({"bootstrap_servers": "a b"}, InvalidInput, "no host and port")],
)  # fmt: skip
async def test_a_check_says_what_is_wrong(kafka, settings, error, told) -> None:
    with pytest.raises(error, match=told):
        await SOURCE.check(source_of(kafka, **settings), around())


async def test_a_second_server_is_asked_when_the_first_is_away(kafka) -> None:
    await SOURCE.check(source_of(kafka, bootstrap_servers=f"127.0.0.1:1,{kafka.address}"), around())


async def test_a_private_broker_is_refused_naming_the_option(kafka) -> None:
    with pytest.raises(InvalidInput, match="private network") as raised:
        await SOURCE.check(source_of(kafka), around(allow_private=False))
    assert raised.value.field == "bootstrap_servers"


@pytest.mark.parametrize(
    ("settings", "field"),
    [({"security_protocol": "SASL_SSL"}, "sasl_username"),
     ({"security_protocol": "SASL_SSL", "sasl_username": "u"}, "sasl_password"),
     ({"security_protocol": "SASL_SSL", "sasl_mechanism": "GSSAPI"}, "sasl_mechanism"),
     ({"security_protocol": "TLS"}, "security_protocol"), ({"topic": ""}, "topic")],
)  # fmt: skip
def test_a_wrong_option_is_named(settings, field) -> None:
    given = {"topic": "t", "bootstrap_servers": "k:1", **settings}
    with pytest.raises(InvalidInput) as raised:
        config_of(SOURCE, given)
    assert raised.value.field == f"configuration.{field}"


async def test_a_wrong_certificate_is_named(kafka) -> None:
    config = source_of(kafka, security_protocol="SSL", ca_cert="none")
    with pytest.raises(InvalidInput) as raised:
        await SOURCE.check(config, around())
    assert raised.value.field == "ca_cert"


async def test_a_record_is_json_under_its_primary_key_with_its_place(kafka, target) -> None:
    one = Outgoing(Place(7, 3), {"id": "a", "n": 1}, ["id"], time=1_700_000_000_000)
    two = Outgoing(Place(7, 4), {"id": "a", "n": 1}, ["id", "n"], key=b"theirs")
    three = Outgoing(Place(7, 5), {"n": 2}, key=b"theirs")
    await target.write([one, two, three])
    found = sorted(await records_of(kafka), key=lambda record: record.headers)
    assert [record.key for record in found] == [b"a", b'["a",1]', b"theirs"]
    assert json.loads(found[0].value) == {"id": "a", "n": 1}
    assert found[0].timestamp == 1_700_000_000_000
    assert found[0].headers == (("headrace-place", b"s.0 7.3.0 0.0.0"),)


async def test_a_broker_that_is_not_the_leader_for_a_moment_is_asked_again(kafka, target) -> None:
    kafka.answer_with(PRODUCE, [NOT_LEADER, NOT_LEADER])
    batch = [Outgoing(Place(1, n), {"id": n}, ["id"]) for n in range(20)]
    assert await target.write(batch) == []
    assert len(await records_of(kafka)) == 20


async def test_a_record_that_is_too_large_for_the_topic_is_refused_alone(kafka, target) -> None:
    await target.write([Outgoing(Place(1, 0), {"id": 0}, ["id"])])
    kafka.answer_with(PRODUCE, [TOO_LARGE])
    [refused] = await target.write([Outgoing(Place(2, 0), {"id": 1}, ["id"])])
    assert refused.place == Place(2, 0)
    assert "larger" in refused.reason


async def test_what_it_holds_is_found_below_records_of_others(kafka, target) -> None:
    await target.write([Outgoing(Place(1, 0), {"id": 0}, ["id"])])
    await target.write(batch := [Outgoing(Place(2, n), {"id": n}, ["id"]) for n in range(9)])
    for partition in (0, 1):
        await put(kafka, *[b"{}"] * 150, partition=partition)
    await target.close()
    again = await TARGET.open_target(
        config_of(TARGET, {"bootstrap_server": kafka.address}), around()
    )
    assert await again.written() == Place(1, 0)
    await again.write(batch)
    await again.close()
    assert len(await records_of(kafka)) == 10 + 300


async def test_a_target_without_a_topic_or_with_one_that_is_not_there_is_broken(kafka) -> None:
    config = config_of(TARGET, {"bootstrap_server": kafka.address})
    for table in ("", "nope"):
        with pytest.raises(ConnectorBroken, match="topic"):
            await TARGET.open_target(config, around(table=table))


async def test_a_broker_behind_tls_is_read_and_only_with_a_certificate_that_is_trusted(
    kafka, tmp_path
) -> None:
    await put(kafka, b'{"n": 1}')
    async with behind_tls(kafka, tmp_path) as servers:
        tls = {"security_protocol": "SSL", "bootstrap_servers": servers}
        trusted = (tmp_path / "cert.pem").read_text()
        [message] = await first_of(kafka, **tls, ca_cert=trusted)
        assert message.value == {"n": 1}
        with pytest.raises(ConnectorBroken, match="certificate verify failed"):
            await SOURCE.check(source_of(kafka, **tls), around())


@pytest.mark.skipif(not REAL, reason="HEADRACE_TEST_KAFKA has no options of a source")
async def test_a_real_broker_lets_us_in_with_the_options_that_are_given() -> None:
    config = config_of(SOURCE, json.loads(REAL))
    await SOURCE.check(config, around(patience=20.0))
    assert config.topic in await SOURCE.topics(config, around(patience=20.0))
