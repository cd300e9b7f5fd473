"""The vocabulary: an event, a batch of them, and the form a batch has on the stream.

A batch belongs to one tenant and travels as one stream message: columns in Arrow's IPC form,
compressed with zstd, behind a short magic that names the version of the form.
"""

import struct
import time
from collections.abc import Sequence
from dataclasses import dataclass, field, fields
from datetime import UTC, datetime
from itertools import accumulate
from typing import Annotated, Any, Self

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import xxhash
import zstandard

from service.errors import PoisonMessage

MAX_TYPE_LENGTH = 100
MAX_ID_LENGTH = 128
LARGEST_UNPACKED = 256 * 1024 * 1024
"""Bytes one stream message may inflate to; more is poison."""

EventType = Annotated[str, msgspec.Meta(min_length=1, max_length=MAX_TYPE_LENGTH)]
Id = Annotated[str, msgspec.Meta(min_length=1, max_length=MAX_ID_LENGTH)]
Priority = Annotated[int, msgspec.Meta(ge=1, le=10)]


CANARY = "canary"
"""The tenant of the service's own events (`service/canary.py`). No environment has this id."""


class Event(msgspec.Struct, kw_only=True, gc=False):
    """Something that happened. Faces decode into it or into a subclass with their own names.

    `timestamp` is the event's own time; without an offset it means UTC. An empty `event_id` is
    filled in by ingest; `user_id` and `session_id` are empty where there is none.
    """

    event_type: EventType
    user_id: Id
    session_id: Id
    timestamp: datetime
    metadata: dict[str, Any] | None = None
    payload: dict[str, Any] | None = None
    priority: Priority = 1
    event_id: Id | None = None


COLUMNS = pa.schema(
    [
        pa.field("event_id", pa.string(), nullable=False),
        pa.field("event_key", pa.uint64(), nullable=False),
        pa.field("event_type", pa.string(), nullable=False),
        pa.field("user_id", pa.string(), nullable=False),
        pa.field("user_key", pa.uint64(), nullable=False),
        pa.field("session_id", pa.string(), nullable=False),
        pa.field("session_key", pa.uint64(), nullable=False),
        pa.field("source", pa.string(), nullable=False),
        pa.field("timestamp", pa.int64(), nullable=False),
        pa.field("priority", pa.uint8(), nullable=False),
        pa.field("metadata", pa.string(), nullable=False),
        pa.field("payload", pa.string(), nullable=False),
        pa.field("numbers", pa.map_(pa.string(), pa.float64()), nullable=False),
    ]
)
"""The columns of a batch. Times are milliseconds since 1970 UTC; `metadata` and `payload` are
JSON objects; `numbers` are the payload's numeric top-level fields; `*_key` are digests."""


_RECEIVED = pa.field("received_at", pa.int64(), nullable=False)
_APART = COLUMNS.append(_RECEIVED)


@dataclass(frozen=True, slots=True)
class Batch:
    """Events of one tenant as they travel together: one stream message, one acknowledgement."""

    tenant: str
    received_at: int
    """When the door took them, ms since 1970 UTC."""
    events: pa.RecordBatch
    """The events as `COLUMNS`."""
    received_apart: pa.Array | None = None
    """When the door took each of them, where those that come together did not come together then:
    events out of a file. `received_at` is the first of these."""


def tenant_seed(tenant: str) -> int:
    """The seed that keeps one tenant's digests apart from another's."""
    return xxhash.xxh3_64_intdigest(tenant.encode())


NOBODY = 0
"""The digest of no user and of no session: of events that name none. Neither is counted."""


def digest(text: str, seed: int) -> int:
    """64-bit XXH3 of an id under its tenant's seed (https://xxhash.com); `NOBODY` of none."""
    if not text:
        return NOBODY
    return xxhash.xxh3_64_intdigest(text.encode(), seed) or 1


def now_ms() -> int:
    """This moment, in milliseconds since 1970 UTC."""
    return time.time_ns() // 1_000_000


def milliseconds(moment: datetime) -> int:
    """Whole milliseconds since 1970 UTC, rounded down; a moment without an offset is UTC."""
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    since = moment - _1970
    return since.days * 86_400_000 + since.seconds * 1000 + since.microseconds // 1000


_1970 = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(slots=True)
class Rows:
    """Events on their way into columns: a list a column, cheap to extend."""

    ids: list[str] = field(default_factory=list)
    types: list[str] = field(default_factory=list)
    users: list[str] = field(default_factory=list)
    sessions: list[str] = field(default_factory=list)
    sources: list[str] = field(default_factory=list)
    times: list[int] = field(default_factory=list)
    priorities: list[int] = field(default_factory=list)
    metadata: list[bytes] = field(default_factory=list)
    payloads: list[bytes] = field(default_factory=list)
    numbers: list[int] = field(default_factory=list)
    """How many numbers each event has; the numbers stand in `number_names`, `number_values`."""
    number_names: list[str] = field(default_factory=list)
    number_values: list[float] = field(default_factory=list)

    def __len__(self) -> int:
        return len(self.ids)

    @classmethod
    def of(cls, events: Sequence[Event]) -> Self:
        """The rows of events; an event without an id is a mistake of the caller's."""
        rows = cls(
            ids=[e.event_id or "" for e in events],
            types=[e.event_type for e in events],
            users=[e.user_id for e in events],
            sessions=[e.session_id for e in events],
            sources=[_source(e.metadata) for e in events],
            times=[milliseconds(e.timestamp) for e in events],
            priorities=[e.priority for e in events],
            metadata=[_encode(e.metadata) if e.metadata else b"{}" for e in events],
            payloads=[_encode(e.payload) if e.payload else b"{}" for e in events],
        )
        rows._put_numbers([e.payload for e in events])
        return rows

    def _put_numbers(self, payloads: Sequence[dict[str, Any] | None]) -> None:
        """The numeric top-level fields; booleans and integers beyond a double's range are none."""
        names, values = self.number_names, self.number_values
        before = 0
        for payload in payloads:
            if payload:
                for name, value in payload.items():
                    kind = type(value)
                    if kind is float or (kind is int and -_LARGEST < value < _LARGEST):
                        names.append(name)
                        values.append(float(value))
            self.numbers.append(len(names) - before)
            before = len(names)

    def extend(self, others: "Rows") -> None:
        for column in fields(self):
            getattr(self, column.name).extend(getattr(others, column.name))

    def take(self, numbers: Sequence[int]) -> Self:
        """The rows with these numbers, in this order."""
        ends = [0, *accumulate(self.numbers)]
        inner = [i for n in numbers for i in range(ends[n], ends[n + 1])]
        chosen = {"number_names": inner, "number_values": inner}
        return type(self)(
            **{
                c.name: [getattr(self, c.name)[n] for n in chosen.get(c.name, numbers)]
                for c in fields(self)
            }
        )

    def weight(self) -> int:
        """Roughly the bytes these rows keep busy while they wait."""
        return 300 * len(self.ids) + sum(map(len, self.payloads)) + sum(map(len, self.metadata))

    def columns(self, seed: int) -> pa.RecordBatch:
        """The rows as `COLUMNS`, with digests under `seed`, their tenant's `tenant_seed`."""
        text, key = pa.string(), digest
        return pa.RecordBatch.from_arrays(
            [
                pa.array(self.ids, text),
                pa.array([key(i, seed) for i in self.ids], pa.uint64()),
                pa.array(self.types, text),
                pa.array(self.users, text),
                pa.array([key(u, seed) for u in self.users], pa.uint64()),
                pa.array(self.sessions, text),
                pa.array([key(s, seed) for s in self.sessions], pa.uint64()),
                pa.array(self.sources, text),
                pa.array(self.times, pa.int64()),
                pa.array(self.priorities, pa.uint8()),
                pa.array(self.metadata, text),
                pa.array(self.payloads, text),
                self._number_maps(),
            ],
            schema=COLUMNS,
        )

    def _number_maps(self) -> pa.MapArray:
        return pa.MapArray.from_arrays(
            pa.array(accumulate(self.numbers, initial=0), pa.int32()),
            pa.array(self.number_names, pa.string()),
            pa.array(self.number_values, pa.float64()),
        )


_encode = msgspec.json.Encoder().encode
_LARGEST = 2**1000
"""Well within a double; larger integers would not fit."""


def _source(metadata: dict[str, Any] | None) -> str:
    source = metadata.get("source") if metadata else None
    return source[:MAX_ID_LENGTH] if isinstance(source, str) else ""


URGENT_PRIORITY = 4
"""Events of this priority and above are stored at once."""

_MAGIC = b"HR\x01"
_HEAD = struct.Struct("<3s?II")
_compress = zstandard.ZstdCompressor(level=1).compress


def pack(batch: Batch) -> bytes:
    """The stream message of a batch; the same batch gives the same bytes."""
    about = {"tenant": batch.tenant, "received_at": str(batch.received_at)}
    events = batch.events
    if batch.received_apart is not None:
        events = events.append_column(_RECEIVED, batch.received_apart)
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, events.schema.with_metadata(about)) as writer:
        writer.write_batch(events.replace_schema_metadata(about))
    columns = sink.getvalue()
    urgent = pc.max(batch.events["priority"]).as_py() >= URGENT_PRIORITY
    return _HEAD.pack(_MAGIC, urgent, batch.events.num_rows, columns.size) + _compress(columns)


@dataclass(frozen=True, slots=True)
class Load:
    """What a stream message weighs, readable without unpacking it."""

    events: int
    bytes: int
    urgent: bool


def load_of(message: bytes) -> Load:
    """The load of a message; a message in an unknown form weighs nothing."""
    if len(message) < _HEAD.size or not message.startswith(_MAGIC):
        return Load(0, 0, urgent=False)
    _, urgent, events, size = _HEAD.unpack_from(message)
    return Load(events, size, urgent)


def unpack(message: bytes) -> Batch:
    """The batch of a stream message.

    Raises PoisonMessage for anything that `pack` cannot have written.
    """
    events = columns_of(message)
    try:
        if _has_a_number_twice(events):
            raise PoisonMessage("an event has two numbers of one name")
        about = events.schema.metadata or {}
        tenant, received_at = about[b"tenant"].decode(), int(about[b"received_at"])
    except _UNREADABLE as error:
        raise PoisonMessage(f"unreadable batch: {error}") from error
    if not (apart := events.schema.equals(_APART)) and not events.schema.equals(COLUMNS):
        raise PoisonMessage("the batch has other columns than this version writes")
    if any(column.null_count for column in events.columns) or not 0 <= received_at < 2**63:
        raise PoisonMessage("the batch has values that this version does not write")
    events = events.replace_schema_metadata(None)
    if not apart:
        return Batch(tenant, received_at, events)
    return Batch(tenant, received_at, events.select(COLUMNS.names), events.column(len(COLUMNS)))


def columns_of(message: bytes) -> pa.RecordBatch:
    """The rows of a stream message, whatever columns it has, and what is said of them all.

    Raises PoisonMessage where there are none to be read.
    """
    if not message.startswith(_MAGIC):
        raise PoisonMessage("unknown form: the message does not begin with the batch magic")
    try:
        with pa.ipc.open_stream(_inflate(message)) as reader:
            events = reader.read_next_batch()
        events.validate(full=True)
    except _UNREADABLE as error:
        raise PoisonMessage(f"unreadable batch: {error}") from error
    return events


def _has_a_number_twice(events: pa.RecordBatch) -> bool:
    """Whether a map names a key twice, which the door never writes and no store takes."""
    maps = events["numbers"]
    names = maps.keys.dictionary_encode()
    row = np.repeat(np.arange(len(maps)), np.diff(maps.offsets.to_numpy()))
    places = row * len(names.dictionary) + names.indices.to_numpy()
    places.sort()
    return bool((places[1:] == places[:-1]).any())


_UNREADABLE = (
    pa.ArrowException,
    zstandard.ZstdError,
    KeyError,
    ValueError,
    OSError,
    StopIteration,
)
"""What reading a damaged message raises; Arrow has OSError for buffers that are cut off."""


def _inflate(message: bytes) -> bytes:
    size = load_of(message).bytes
    if not 0 < size <= LARGEST_UNPACKED:
        raise ValueError(f"it says that it inflates to {size} bytes")
    packed = message[_HEAD.size :]
    if (really := zstandard.frame_content_size(packed)) != size:
        raise ValueError(f"it inflates to {really} bytes and says {size}")
    return zstandard.ZstdDecompressor().decompress(packed, allow_extra_data=False)
