"""KAFKA_TARGET: records into the topic that the subscription names as its table.

Delivery: effectively once. Each record carries its place in the header `headrace-place`. A
partition gets its records in the order of their places, one batch after the other, so the place at
its tail tells which ones it has: after a crash or an answer that never came, the tails are read
and what is there is not written again. Two things would double records: more than 10,000 records
of others on top of ours in a partition, and a number of partitions that changed meanwhile. A broker
that allows no idempotent producer may double the batch whose answer got lost.

The key is the primary key: its value as text, or a JSON list of several; without one it is the key
of the source's message. Records of one key go to one partition.
"""

import asyncio
from collections.abc import Mapping, Sequence
from contextlib import suppress
from itertools import chain
from typing import Annotated, Any, NamedTuple

import msgspec
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition, errors
from aiokafka.partitioner import murmur2
from aiokafka.producer.message_accumulator import BatchBuilder, MessageAccumulator

from service.errors import ConnectorBroken, TargetUnavailable
from service.pipelines.connectors.kafka_line import KafkaSecurity, Line
from service.pipelines.connectors.protocol import Surroundings, Target
from service.pipelines.model import Outgoing, Place, Refused
from service.reach.addresses import Reach

HEADER = "headrace-place"
BATCH_BYTES = 128 * 1024
"""Of one request's records for one partition; a larger record goes alone."""
LOOK_BACK = (100, 1_000, 10_000)
"""How many records at the tail of a partition are looked through, in turn, for one of ours."""

_NOWHERE = Place(0, 0)


class KafkaTarget(KafkaSecurity, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which brokers; the topic is what the subscription names as its table."""

    bootstrap_server: Annotated[str, msgspec.Meta(min_length=1)]
    """`host:port`, several with commas between."""
    group_id: str | None = None
    """What brokers are told that we are called; made of the subscription's id if left out."""


async def open_kafka_target(config: KafkaTarget, surroundings: Surroundings) -> Target:
    """Raises InvalidInput, ConnectorBroken or TargetUnavailable."""
    if not surroundings.table:
        raise ConnectorBroken("the subscription names no topic as its target's table")
    target = _KafkaTarget(_line(config, surroundings), surroundings)
    await target.ping()
    return target


async def check_kafka_target(config: KafkaTarget, surroundings: Surroundings) -> None:
    """Connects. Raises as `open_kafka_target` does."""
    await kafka_target_topics(config, surroundings)


async def kafka_target_topics(config: KafkaTarget, surroundings: Surroundings) -> Sequence[str]:
    """The topics that there are. Raises as `open_kafka_target` does."""
    return await _line(config, surroundings).topics()


def _line(config: KafkaTarget, surroundings: Surroundings) -> Line:
    return Line(
        config.bootstrap_server,
        "bootstrap_server",
        config,
        Reach(surroundings.allow_private),
        config.group_id or f"headrace-{surroundings.subscription_id or 'check'}",
        TargetUnavailable,
        surroundings.patience,
    )


class _Tail(NamedTuple):
    """What the header of a record says."""

    place: Place
    after: Place
    """Of the record before which everything is known to be written."""


class _Ready(NamedTuple):
    """A record as it goes to its partition."""

    place: Place
    key: bytes | None
    value: bytes
    time: int


class _KafkaTarget:
    def __init__(self, line: Line, surroundings: Surroundings) -> None:
        self._line = line
        self._topic = surroundings.table
        self._mine = surroundings.places_of
        self._producer: AIOKafkaProducer | None = None
        self._tails: dict[int, _Tail] | None = None
        """By partition; None while it is unknown what the partitions hold."""
        self._after = _NOWHERE

    async def written(self) -> Place | None:
        tails = await self._known_tails()
        last = max((tail.after for tail in tails.values()), default=_NOWHERE)
        self._after = max(self._after, last)
        return None if self._after == _NOWHERE else self._after

    async def write(self, batch: Sequence[Outgoing]) -> Sequence[Refused]:
        if not batch:
            return []
        try:
            with self._line.errors():
                refused = await self._write(batch)
        except BaseException:
            await self._give_up()
            raise
        self._after = max(self._after, batch[-1].place)
        return sorted(refused)

    async def ping(self) -> None:
        if self._topic not in await self._line.topics():
            raise ConnectorBroken(f"there is no topic {self._topic!r} on these brokers")

    async def close(self) -> None:
        if self._producer is not None:
            await _end(self._producer)
            self._producer = None

    async def _write(self, batch: Sequence[Outgoing]) -> Sequence[Refused]:
        await self.written()
        async with asyncio.timeout(self._line.patience):
            producer = self._producer or await self._open()
            shares = self._shares(batch, len(await producer.partitions_for(self._topic)))
        return await self._send(
            [asyncio.ensure_future(self._fill(producer, *share)) for share in shares.items()]
        )

    async def _send(self, filling: Sequence[asyncio.Future[Sequence[Refused]]]) -> list[Refused]:
        """What all partitions refuse. When one fails or is late, all are ended first."""
        done: set[asyncio.Future[Sequence[Refused]]] = set()
        try:
            if filling:
                done, _ = await asyncio.wait(
                    filling, timeout=self._line.patience, return_when=asyncio.FIRST_EXCEPTION
                )
        finally:
            if len(done) < len(filling):
                await self._give_up()
            await asyncio.gather(*filling, return_exceptions=True)
        refused = [refused for one in done for refused in one.result()]
        if len(done) < len(filling):
            raise TimeoutError("no answer in time")
        return refused

    def _shares(self, batch: Sequence[Outgoing], count: int) -> Mapping[int, Sequence[_Ready]]:
        """What each partition is to get, without what it has of a batch that broke off."""
        shares: dict[int, list[_Ready]] = {}
        for one in batch:
            ready = _Ready(one.place, _key(one), msgspec.json.encode(one.record), one.time)
            number = _partition(ready, count)
            tail = self._tails.get(number) if self._tails else None
            if tail is None or not self._after < one.place <= tail.place:
                shares.setdefault(number, []).append(ready)
        return shares

    async def _fill(
        self, producer: AIOKafkaProducer, partition: int, share: Sequence[_Ready]
    ) -> Sequence[Refused]:
        """One batch after the other: what is there is always the first part of the share."""
        refused: list[Refused] = []
        while share:
            builder = producer.create_batch()
            count = self._pack(builder, share)
            future = await producer.send_batch(builder, self._topic, partition=partition)
            try:
                await future
            except errors.MessageSizeTooLargeError as error:
                if count > 1:
                    raise ConnectorBroken(f"topic {self._topic}: {error}") from error
                refused.append(Refused(share[0].place, "larger than the topic allows"))
            share = share[count:]
        return refused

    def _pack(self, builder: BatchBuilder, share: Sequence[_Ready]) -> int:
        """How many of them went into the batch; one at least."""
        after = self._after.text
        for index, (place, key, value, time) in enumerate(share):
            mark = f"{self._mine} {place.text} {after}".encode()
            headers = [(HEADER, mark)]
            if builder.append(timestamp=time, key=key, value=value, headers=headers) is None:
                return index
        return len(share)

    async def _open(self) -> AIOKafkaProducer:
        """Idempotent where the brokers allow it."""
        try:
            self._producer = await self._started(enable_idempotence=True)
        except (errors.BrokerResponseError, errors.IncompatibleBrokerVersion):
            self._producer = await self._started(enable_idempotence=False)
        return self._producer

    async def _started(self, **options: Any) -> AIOKafkaProducer:
        producer = await self._line.producer(max_batch_size=BATCH_BYTES, **options)
        try:
            await producer.start()
            await self._line.judge(producer.client)
        except BaseException:
            await _end(producer)
            raise
        return producer

    async def _give_up(self) -> None:
        """Whatever was on its way may have arrived, or not."""
        self._tails = None
        await self.close()

    async def _known_tails(self) -> Mapping[int, _Tail]:
        if self._tails is None:
            self._tails = await self._look()
        return self._tails

    async def _look(self) -> dict[int, _Tail]:
        consumer = await self._line.consumer()
        try:
            with self._line.errors():
                async with asyncio.timeout(self._line.patience):
                    return await _tails(consumer, self._topic, self._mine)
        finally:
            await consumer.stop()


async def _tails(consumer: AIOKafkaConsumer, topic: str, mine: str) -> dict[int, _Tail]:
    """The last record of ours in each partition that has one."""
    await consumer.topics()
    await consumer._client.set_topics([topic])
    left = [TopicPartition(topic, number) for number in consumer.partitions_for_topic(topic) or []]
    consumer.assign(left)
    begins = await consumer.beginning_offsets(left)
    ends = await consumer.end_offsets(left)
    found: dict[int, _Tail] = {}
    for depth in LOOK_BACK:
        for place in left:
            consumer.seek(place, max(begins[place], ends[place] - depth))
        found |= await _last_of_mine(consumer, left, ends, mine)
        left = [
            place
            for place in left
            if place.partition not in found and ends[place] - depth > begins[place]
        ]
        if not left:
            break
        consumer.assign(left)
    return found


async def _last_of_mine(
    consumer: AIOKafkaConsumer,
    places: Sequence[TopicPartition],
    ends: Mapping[TopicPartition, int],
    mine: str,
) -> dict[int, _Tail]:
    found: dict[int, _Tail] = {}
    while any([await consumer.position(place) < ends[place] for place in places]):
        for place, records in (await consumer.getmany(timeout_ms=500)).items():
            for record in records:
                if tail := _read(record.headers, mine):
                    found[place.partition] = tail
    return found


def _read(headers: Sequence[tuple[str, bytes | None]], mine: str) -> _Tail | None:
    """What our own header says; None for records of others."""
    for name, value in headers:
        if name == HEADER and value is not None:
            with suppress(ValueError, UnicodeDecodeError):
                owner, place, after = value.decode().split(" ")
                if owner == mine:
                    return _Tail(Place.read(place), Place.read(after))
    return None


def _key(one: Outgoing) -> bytes | None:
    if not one.primary_key:
        return one.key
    values = [one.record[name] for name in one.primary_key]
    if len(values) == 1:
        [value] = values
        return value.encode() if isinstance(value, str) else msgspec.json.encode(value)
    return msgspec.json.encode(values)


def _partition(ready: _Ready, count: int) -> int:
    """As every Kafka client does it for keys; by place for records without one."""
    name = ready.key if ready.key is not None else ready.place.text.encode()
    return int(murmur2(name) & 0x7FFFFFFF) % count


async def _end(producer: AIOKafkaProducer) -> None:
    """Close it at once; its own way of stopping waits for brokers that may never answer."""
    producer._closed = True
    await producer.client.close()
    sending = producer._sender.sender_task
    if sending is not None:
        sending.remove_done_callback(producer._sender._fail_all)
        while not sending.done():
            sending.cancel()
            await asyncio.wait([sending], timeout=0.1)
        await asyncio.gather(sending, return_exceptions=True)
    _fail_waiting(producer._message_accumulator)


def _fail_waiting(waiting: MessageAccumulator) -> None:
    closed = errors.KafkaConnectionError("closed")
    waiting._exception = closed
    held = waiting._pending_batches
    held.update(chain.from_iterable(waiting._batches.values()))  # each takes itself out again
    for batch in held:
        if not batch.future.done():
            batch.future.set_exception(closed)
