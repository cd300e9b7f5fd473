"""STREAM_SOURCE: the events that the environment takes in, as they come.

Delivery: every event on the stream, exactly once onto the bus, in the order in which they were
acknowledged. What a client sent twice may come twice, with the same `event_id`: make it a primary
key. Events that a pipeline wrote are left out, so that no pipeline feeds itself; so are those of
users who were erased.
"""

import asyncio
import time
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from functools import partial
from typing import Any, Literal

import msgspec

from service.erased import Reaches
from service.errors import (
    AccountsUnavailable,
    ConnectorBroken,
    PoisonMessage,
    SourceUnavailable,
)
from service.events import Batch, unpack
from service.pipelines.connectors.protocol import Source, Surroundings
from service.pipelines.connectors.warehouse import PIPELINE
from service.pipelines.model import Cursor, SourceMessage, Taken
from service.stream.protocol import Message, Stream

_ASK_EVERY = 1.0
"""Seconds."""
_MESSAGES = 64
"""Messages of the stream that are looked at in one read."""


class StreamSource(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Where to begin: at new events, or at the first that the stream still holds."""

    start: Literal["new", "first"] = "new"


async def open_stream_source(config: StreamSource, surroundings: Surroundings) -> Source:
    """Raises ConnectorBroken where there is no stream of events."""
    if surroundings.events is None:
        raise ConnectorBroken("this process does not read the stream of events")
    return _StreamSource(config, surroundings, surroundings.events)


class _StreamSource:
    def __init__(self, config: StreamSource, surroundings: Surroundings, stream: Stream) -> None:
        self._config = config
        self._tenant = surroundings.tenant
        self._stream = stream
        self._ask_erasures = surroundings.erasures
        self._erased = Reaches()
        self._asked = -_ASK_EVERY

    async def read(self, after: Cursor | None, most: int, wait: float) -> Taken:
        try:
            place = await self._place(after)
            if after is None and self._config.start == "new":
                return Taken([], place)
            return await self._read(place, most, wait)
        except (ConnectionError, AccountsUnavailable) as error:
            raise SourceUnavailable(str(error)) from error

    async def _place(self, after: Cursor | None) -> dict[str, Any]:
        """Where to go on; at the beginning of another stream if this one was made anew."""
        state = await self._stream.state()
        if after and after["stream"] == state.created:
            return dict(after)
        begin = state.last_sequence if after is None and self._config.start == "new" else 0
        return {"stream": state.created, "sequence": begin, "row": 0}

    async def _read(self, place: dict[str, Any], most: int, wait: float) -> Taken:
        """At most so many events; `row` of the next message are taken already."""
        taken: list[SourceMessage] = []
        await self._learn()
        for message in await self._stream.read(place["sequence"], _MESSAGES, wait):
            found = await asyncio.to_thread(self._events, message, place["stream"])
            fresh = found[place["row"] :][: most - len(taken)]
            taken += [event for event in fresh if event]
            if place["row"] + len(fresh) < len(found):
                return Taken(taken, {**place, "row": place["row"] + len(fresh)})
            place = {**place, "sequence": message.sequence, "row": 0}
        return Taken(taken, place)

    async def _learn(self) -> None:
        """Who was erased, once a second; before it is known nothing is read."""
        now = time.monotonic()
        if self._ask_erasures and now - self._asked >= _ASK_EVERY:
            self._erased = Reaches(await self._ask_erasures())
            self._asked = now

    def _events(self, message: Message, stream: str) -> list[SourceMessage | None]:
        """Of each row of a message its event; None for what a pipeline wrote, and for events of
        users who were erased.
        """
        if message.tenant != self._tenant:
            return []
        try:
            batch = unpack(message.body)
            gone = self._of_the_erased(batch, message, stream)
            return [
                None if left_out else one for one, left_out in zip(_of(batch), gone, strict=True)
            ]
        except PoisonMessage:
            return []  # the writer puts it aside with the reason

    def _of_the_erased(self, batch: Batch, message: Message, stream: str) -> Sequence[bool]:
        users = batch.events["user_id"].to_pylist()
        if not self._erased:
            return [False] * len(users)
        received: Sequence[int] = [batch.received_at] * len(users)
        if batch.received_apart is not None:
            received = batch.received_apart.to_pylist()
        covers = partial(self._erased.covers, self._tenant)
        named = zip(users, received, strict=True)
        return [covers(user, at, stream, message) for user, at in named]

    async def ping(self) -> None:
        await self._stream.ping()

    async def close(self) -> None:
        """Nothing to close: the stream belongs to the service."""


def _of(batch: Batch) -> Iterator[SourceMessage | None]:
    for row in batch.events.to_pylist():
        metadata = msgspec.json.decode(row["metadata"])
        if PIPELINE in metadata:
            yield None
            continue
        value = {name: row[name] for name in ("event_id", "event_type", "user_id", "session_id")}
        value |= {
            "source": row["source"],
            "timestamp": datetime.fromtimestamp(row["timestamp"] / 1000, UTC).isoformat(),
            "priority": row["priority"],
            "metadata": metadata,
            "payload": msgspec.json.decode(row["payload"]),
        }
        yield SourceMessage(value, row["user_id"].encode() or None, row["timestamp"])
