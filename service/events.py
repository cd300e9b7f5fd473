"""The vocabulary: an event, a batch of them, and the form a batch has on the stream.

A batch belongs to one tenant and travels as one stream message: columns in Arrow's IPC form,
compressed with zstd, behind a short magic that names the version of the form.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated, Any

import msgspec
import pyarrow as pa
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


class Event(msgspec.Struct, kw_only=True):
    """Something that happened. Faces decode into it or into a subclass with their own names.

    `timestamp` is the event's own time; without an offset it means UTC. An empty `event_id` is
    filled in by ingest.
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


@dataclass(frozen=True, slots=True)
class Batch:
    """Events of one tenant as they travel together: one stream message, one acknowledgement."""

    tenant: str
    received_at: int
    """When the door took them, ms since 1970 UTC."""
    events: pa.RecordBatch
    """The events as `COLUMNS`."""


def tenant_seed(tenant: str) -> int:
    """The seed that keeps one tenant's digests apart from another's."""
    return xxhash.xxh3_64_intdigest(tenant.encode())


def digest(text: str, seed: int) -> int:
    """64-bit XXH3 of an id under its tenant's seed (https://xxhash.com); never 0."""
    return xxhash.xxh3_64_intdigest(text.encode(), seed) or 1


def milliseconds(moment: datetime) -> int:
    """Whole milliseconds since 1970 UTC, rounded down; a moment without an offset is UTC."""
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return int(moment.timestamp() * 1_000_000 + (0.5 if moment.year >= 1970 else -0.5)) // 1000


def to_columns(events: Sequence[Event], seed: int) -> pa.RecordBatch:
    """Turn events, each with an id, into `COLUMNS`. `seed` is their tenant's `tenant_seed`."""
    types = [e.event_type for e in events]
    users = [e.user_id for e in events]
    sessions = [e.session_id for e in events]
    ids = [e.event_id for e in events]
    payloads = [e.payload for e in events]
    metadatas = [e.metadata for e in events]
    encode = msgspec.json.Encoder().encode
    key = digest
    text = pa.string()
    return pa.RecordBatch.from_arrays(
        [
            pa.array(ids, text),
            pa.array([key(i, seed) for i in ids], pa.uint64()),  # type: ignore[arg-type]
            pa.array(types, text),
            pa.array(users, text),
            pa.array([key(u, seed) for u in users], pa.uint64()),
            pa.array(sessions, text),
            pa.array([key(s, seed) for s in sessions], pa.uint64()),
            pa.array([_source(m) for m in metadatas], text),
            pa.array([milliseconds(e.timestamp) for e in events], pa.int64()),
            pa.array([e.priority for e in events], pa.uint8()),
            pa.array([encode(m) if m else b"{}" for m in metadatas], text),
            pa.array([encode(p) if p else b"{}" for p in payloads], text),
            _numbers(payloads),
        ],
        schema=COLUMNS,
    )


def _source(metadata: dict[str, Any] | None) -> str:
    source = metadata.get("source") if metadata else None
    return source[:MAX_ID_LENGTH] if isinstance(source, str) else ""


def _numbers(payloads: Sequence[dict[str, Any] | None]) -> pa.MapArray:
    names: list[str] = []
    values: list[float] = []
    offsets = [0]
    for payload in payloads:
        if payload:
            for name, value in payload.items():
                kind = type(value)
                if kind is float or (kind is int and -(2**1000) < value < 2**1000):
                    names.append(name)
                    values.append(float(value))
        offsets.append(len(names))
    return pa.MapArray.from_arrays(
        pa.array(offsets, pa.int32()), pa.array(names, pa.string()), pa.array(values, pa.float64())
    )


_MAGIC = b"HR\x01"
_compress = zstandard.ZstdCompressor(level=1).compress


def pack(batch: Batch) -> bytes:
    """The stream message of a batch; the same batch gives the same bytes."""
    schema = COLUMNS.with_metadata(
        {"tenant": batch.tenant, "received_at": str(batch.received_at)}
    )
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, schema) as writer:
        writer.write_batch(batch.events.replace_schema_metadata(schema.metadata))
    return _MAGIC + _compress(sink.getvalue())


def unpack(message: bytes) -> Batch:
    """The batch of a stream message.

    Raises PoisonMessage for anything that `pack` cannot have written.
    """
    if not message.startswith(_MAGIC):
        raise PoisonMessage("unknown form: the message does not begin with the batch magic")
    try:
        inflated = _inflate(message[len(_MAGIC) :])
        with pa.ipc.open_stream(inflated) as reader:
            events = reader.read_next_batch()
        events.validate(full=True)
        about = events.schema.metadata or {}
        tenant, received_at = about[b"tenant"].decode(), int(about[b"received_at"])
    except (pa.ArrowException, zstandard.ZstdError, KeyError, ValueError, StopIteration) as error:
        raise PoisonMessage(f"unreadable batch: {error}") from error
    if not events.schema.equals(COLUMNS):
        raise PoisonMessage("the batch has other columns than this version writes")
    return Batch(tenant, received_at, events.replace_schema_metadata(None))


def _inflate(compressed: bytes) -> bytes:
    size = zstandard.frame_content_size(compressed)
    if not 0 <= size <= LARGEST_UNPACKED:
        raise ValueError(f"it inflates to {size} bytes")
    return zstandard.ZstdDecompressor().decompress(compressed, max_output_size=size)
