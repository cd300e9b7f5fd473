"""KAFKA_SOURCE: the records of one topic.

Delivery: each record once. The pipeline keeps the offset of each partition and asks for what
follows it; nothing is committed to a consumer group. Records of one partition keep their order.
Records of transactions that were broken off are left out.

A value that is no JSON object becomes `{"value": ...}`: as JSON, or else as text, or as base64.
"""

import asyncio
import time
from collections import deque
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal

import msgspec
from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition
from aiokafka.errors import OffsetOutOfRangeError

from service.errors import ConnectorBroken, SourceUnavailable
from service.pipelines.connectors.decoding import as_text, decoded
from service.pipelines.connectors.kafka_line import KafkaSecurity, Line
from service.pipelines.connectors.protocol import Source, Surroundings
from service.pipelines.model import Cursor, SourceMessage, Taken
from service.reach.addresses import Reach

MOST_BYTES = 4 * 1024 * 1024
"""Of the values that one reading gives; a single larger record comes alone."""
FETCH_BYTES = 8 * 1024 * 1024
QUIET_SECONDS = 5.0
"""After so long without a record it is asked whether the brokers are there."""


class KafkaSource(KafkaSecurity, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which topic of which brokers."""

    topic: Annotated[str, msgspec.Meta(min_length=1, max_length=249)]
    bootstrap_servers: Annotated[str, msgspec.Meta(min_length=1)]
    """`host:port`, several with commas between."""
    consumer_group_id: str | None = None
    """What brokers are told that we are called; made of the pipeline's id where it is left out."""
    include_metadata: bool | None = False
    """Put topic, partition, offset, time, key and headers into each record, as `_metadata`."""
    start: Literal["earliest", "latest"] = "earliest"
    """Where a new pipeline begins."""
    on_lost: Literal["stop", "continue"] = "stop"
    """When the broker has deleted records before they were read: stop, or go on behind them."""


async def open_kafka_source(config: KafkaSource, surroundings: Surroundings) -> Source:
    """Raises InvalidInput, ConnectorBroken or SourceUnavailable."""
    return await _opened(config, surroundings)


async def check_kafka_source(config: KafkaSource, surroundings: Surroundings) -> None:
    """Connects, and looks whether the topic is there. Raises as `open_kafka_source` does."""
    await (await _opened(config, surroundings)).close()


async def kafka_topics(config: KafkaSource, surroundings: Surroundings) -> Sequence[str]:
    """The topics that there are. Raises as `open_kafka_source` does."""
    return await _line(config, surroundings).topics()


async def fetch_from_kafka(
    config: KafkaSource, surroundings: Surroundings, topic: str, most: int
) -> Sequence[SourceMessage]:
    """The newest messages of a topic, oldest first. Raises as `open_kafka_source` does."""
    there = msgspec.structs.replace(config, topic=topic or config.topic)
    source = await _opened(there, surroundings)
    try:
        return await source.newest(most)
    finally:
        await source.close()


async def _opened(config: KafkaSource, surroundings: Surroundings) -> "_KafkaSource":
    consumer = await _line(config, surroundings).consumer(
        auto_offset_reset="none", isolation_level="read_committed", fetch_max_bytes=FETCH_BYTES
    )
    source = _KafkaSource(config, consumer, _line(config, surroundings))
    try:
        await source.assign()
    except BaseException:
        await source.close()
        raise
    return source


def _line(config: KafkaSource, surroundings: Surroundings) -> Line:
    return Line(
        config.bootstrap_servers,
        "bootstrap_servers",
        config,
        Reach(surroundings.allow_private),
        config.consumer_group_id or f"headrace-{surroundings.pipeline_id or 'check'}",
        SourceUnavailable,
        surroundings.patience,
    )


class _KafkaSource:
    def __init__(self, config: KafkaSource, consumer: AIOKafkaConsumer, line: Line) -> None:
        self._config = config
        self._consumer = consumer
        self._line = line
        self._partitions: Sequence[TopicPartition] = []
        self._waiting: deque[ConsumerRecord] = deque()
        self._offsets: dict[int, int] = {}
        self._heard = time.monotonic()
        self._cursor: Cursor | None = None
        """After what was given last; None when the consumer does not stand there."""

    async def assign(self) -> None:
        """Take all partitions of the topic. Raises ConnectorBroken when there is no such topic."""
        topic = self._config.topic
        with self._line.errors():
            known = await self._consumer.topics()
            if topic not in known:
                raise ConnectorBroken(f"topic: there is no topic {topic!r} on these brokers")
            await self._consumer._client.set_topics([topic])
        numbers = sorted(self._consumer.partitions_for_topic(topic) or [])
        self._partitions = [TopicPartition(topic, number) for number in numbers]
        self._consumer.assign(self._partitions)

    async def read(self, after: Cursor | None, most: int, wait: float) -> Taken:
        with self._line.errors():
            if after is None and self._config.start == "latest":
                return Taken([], await self._ends())
            if after is None or after != self._cursor or self._has_grown():
                await self._go_to(after or {})
            if not self._waiting:
                await self._fetch(most, wait)
            await self._stay_in_touch()
        return self._give(most)

    async def newest(self, most: int) -> Sequence[SourceMessage]:
        """The last messages of all partitions, by their time."""
        with self._line.errors():
            async with asyncio.timeout(self._line.patience):
                found = await self._last(most)
        found.sort(key=lambda record: record.timestamp)
        return [self._message(record) for record in found[-most:]]

    async def _last(self, most: int) -> list[ConsumerRecord]:
        begins = await self._consumer.beginning_offsets(self._partitions)
        ends = await self._consumer.end_offsets(self._partitions)
        for partition in self._partitions:
            self._consumer.seek(partition, max(begins[partition], ends[partition] - most))
        return await self._until(ends)

    async def ping(self) -> None:
        with self._line.errors():
            await self._consumer.topics()

    async def close(self) -> None:
        await self._consumer.stop()

    async def _ends(self) -> Cursor:
        ends = await self._consumer.end_offsets(self._partitions)
        return {"offsets": {str(place.partition): end for place, end in ends.items()}}

    def _has_grown(self) -> bool:
        there = self._consumer.partitions_for_topic(self._config.topic) or ()
        return len(there) > len(self._partitions)

    async def _go_to(self, after: Cursor) -> None:
        """Stand behind the cursor; a partition that it does not know is read from its beginning."""
        if self._has_grown():
            await self.assign()
        self._waiting.clear()
        offsets = {int(number): at for number, at in after.get("offsets", {}).items()}
        fresh = [place for place in self._partitions if place.partition not in offsets]
        begins = await self._consumer.beginning_offsets(fresh) if fresh else {}
        for place in self._partitions:
            offsets.setdefault(place.partition, begins.get(place, 0))
            self._consumer.seek(place, offsets[place.partition])
        self._offsets = offsets

    async def _fetch(self, most: int, wait: float) -> None:
        try:
            got = await self._consumer.getmany(timeout_ms=int(wait * 1000), max_records=most)
        except OffsetOutOfRangeError as error:
            await self._pass_over(error.args[0])
            return
        for records in got.values():
            self._waiting.extend(records)

    async def _stay_in_touch(self) -> None:
        """The library is silent about brokers that are away; so they are asked now and then."""
        now = time.monotonic()
        if not self._waiting and now - self._heard > QUIET_SECONDS:
            await self._consumer.topics()
        elif not self._waiting:
            return
        self._heard = now

    async def _pass_over(self, lost: Mapping[TopicPartition, int]) -> None:
        begins = await self._consumer.beginning_offsets(list(lost))
        if self._config.on_lost == "stop":
            told = [f"{one.partition} from {at} to {begins[one] - 1}" for one, at in lost.items()]
            raise ConnectorBroken(
                f"topic {self._config.topic}: the broker no longer has what was to be read next, of"
                f" partition {', '.join(told)}; with on_lost: continue it is passed over"
            )
        for place in lost:
            self._consumer.seek(place, begins[place])
            self._offsets[place.partition] = begins[place]

    def _give(self, most: int) -> Taken:
        messages: list[SourceMessage] = []
        size = 0
        while self._waiting and len(messages) < most and size < MOST_BYTES:
            record = self._waiting.popleft()
            size += record.serialized_value_size
            messages.append(self._message(record))
            self._offsets[record.partition] = record.offset + 1
        self._cursor = {"offsets": {str(one): at for one, at in self._offsets.items()}}
        return Taken(messages, self._cursor)

    async def _until(self, ends: Mapping[TopicPartition, int]) -> list[ConsumerRecord]:
        """What is there before these offsets."""
        found: list[ConsumerRecord] = []
        while await self._behind(ends):
            got = await self._consumer.getmany(timeout_ms=1000)
            for place, records in got.items():
                found += [record for record in records if record.offset < ends[place]]
        return found

    async def _behind(self, ends: Mapping[TopicPartition, int]) -> bool:
        return any([await self._consumer.position(place) < end for place, end in ends.items()])

    def _message(self, record: ConsumerRecord) -> SourceMessage:
        value = decoded(record.value)
        if self._config.include_metadata:
            value = {**value, "_metadata": _metadata(record)}
        told = {"partition": record.partition, "offset": record.offset}
        return SourceMessage(value, record.key, record.timestamp, told)


def _metadata(record: ConsumerRecord) -> Mapping[str, Any]:
    return {
        "topic": record.topic,
        "partition": record.partition,
        "offset": record.offset,
        "timestamp": record.timestamp,
        "key": None if record.key is None else as_text(record.key),
        "headers": {name: None if v is None else as_text(v) for name, v in record.headers},
    }
