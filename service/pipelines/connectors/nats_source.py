"""NATS_SOURCE: the messages of a JetStream stream.

Delivery: each message once. The pipeline keeps the sequence that it read up to; the broker keeps no
consumer of ours for longer than we read. A message that got lost on the way is noticed, and read
again. Messages keep their order.

A message that is no JSON object becomes `{"value": ...}`: as JSON, or else as text, or as base64.
"""

from collections.abc import Sequence
from typing import Annotated, Any

import msgspec
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.errors import TimeoutError as NothingCame
from nats.js import JetStreamContext
from nats.js.api import AckPolicy, ConsumerConfig, DeliverPolicy

from service.errors import SourceUnavailable
from service.pipelines.connectors.decoding import decoded
from service.pipelines.connectors.nats_line import NatsLine, NatsServers
from service.pipelines.connectors.protocol import Source, Surroundings
from service.pipelines.model import Cursor, SourceMessage, Taken

MOST_MESSAGES = 500
"""Of one reading: JetStream bounds messages, not bytes."""
LINGER_SECONDS = 60.0
"""After so long without a reading the broker forgets the consumer."""


class NatsSource(NatsServers, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which stream, and which of its subjects."""

    stream: Annotated[str, msgspec.Meta(min_length=1)]
    subject: str = ""
    """Only messages of this subject (`orders.>`); empty: all."""


async def open_nats_source(config: NatsSource, surroundings: Surroundings) -> Source:
    """Raises InvalidInput, ConnectorBroken or SourceUnavailable."""
    source = _NatsSource(config, NatsLine(config, surroundings, SourceUnavailable))
    await source.ping()
    return source


async def check_nats_source(config: NatsSource, surroundings: Surroundings) -> None:
    """Connects, and looks whether the stream is there. Raises as opening does."""
    await (await open_nats_source(config, surroundings)).close()


async def nats_streams(config: NatsServers, surroundings: Surroundings) -> Sequence[str]:
    """The names of the streams. Raises as opening does."""
    line = NatsLine(config, surroundings, SourceUnavailable)
    try:
        async with line.asking() as client:
            streams = await client.jetstream().streams_info()
    finally:
        await line.close()
    return sorted(stream.config.name or "" for stream in streams)


async def fetch_from_nats(
    config: NatsSource, surroundings: Surroundings, topic: str, most: int
) -> Sequence[SourceMessage]:
    """The newest messages of a stream, oldest first. Raises as opening does."""
    there = msgspec.structs.replace(config, stream=topic or config.stream)
    source = _NatsSource(there, NatsLine(there, surroundings, SourceUnavailable))
    try:
        last = await source.last()
        taken = await source.read({"sequence": max(0, last - most)}, most, 1.0)
        return taken.messages
    finally:
        await source.close()


class _NatsSource:
    def __init__(self, config: NatsSource, line: NatsLine) -> None:
        self._config = config
        self._line = line
        self._reader: JetStreamContext.PullSubscription | None = None
        self._cursor: Cursor | None = None
        self._delivered = 0
        """Messages that the broker gave to the reader."""

    async def read(self, after: Cursor | None, most: int, wait: float) -> Taken:
        try:
            async with self._line.asking(wait) as client:
                if self._reader is None or after is None or after != self._cursor:
                    await self._go_to(client, int((after or {}).get("sequence", 0)))
                messages = await self._fetch(min(most, MOST_MESSAGES), wait)
        except BaseException:
            self._reader = None
            raise
        if messages:
            self._cursor = {"sequence": messages[-1].metadata.sequence.stream}
        else:
            self._cursor = after or {"sequence": 0}
        return Taken([self._message(message) for message in messages], self._cursor)

    async def last(self) -> int:
        """The sequence of the stream's last message."""
        async with self._line.asking() as client:
            info = await client.jetstream().stream_info(self._config.stream)
        return int(info.state.last_seq)

    async def ping(self) -> None:
        await self.last()

    async def close(self) -> None:
        await self._line.close()

    async def _go_to(self, client: Client, sequence: int) -> None:
        self._delivered = 0
        self._reader = await client.jetstream().pull_subscribe(
            self._config.subject or ">",
            stream=self._config.stream,
            config=ConsumerConfig(
                deliver_policy=DeliverPolicy.BY_START_SEQUENCE,
                opt_start_seq=sequence + 1,
                ack_policy=AckPolicy.NONE,
                inactive_threshold=LINGER_SECONDS,
                mem_storage=True,
                num_replicas=1,
            ),
        )

    async def _fetch(self, most: int, wait: float) -> Sequence[Msg]:
        assert self._reader
        try:
            messages = await self._reader.fetch(most, timeout=max(wait, 0.05))
        except NothingCame:
            messages = []
        for message in messages:
            self._delivered += 1
            if message.metadata.sequence.consumer != self._delivered:
                raise ConnectionError("messages got lost on the way, and are asked for again")
        return messages

    def _message(self, message: Msg) -> SourceMessage:
        told: dict[str, Any] = {"subject": message.subject}
        told["sequence"] = message.metadata.sequence.stream
        if message.headers:
            told["headers"] = dict(message.headers)
        time = int(message.metadata.timestamp.timestamp() * 1000)
        return SourceMessage(decoded(message.data), message.subject.encode(), time, told)
