"""Events from a file into a service, by the road that every event takes: stream, writer, store.

So a piece that is sent twice counts once, beside other traffic and whatever dies meanwhile: the
writer recognises its events by their ids. A piece is answered for when its events are in the store,
and the store is asked whether they are.
"""

import asyncio
import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from service.accounts.environments import Environments
from service.accounts.erasures import Erasures
from service.erased import Reaches
from service.errors import IngestionUnavailable, NotCountedYet, TransferFailed
from service.events import Batch, pack
from service.storage.mark import Mark
from service.storage.protocol import EPOCH_SHIFT, EventStore, Statement
from service.stream.protocol import Receipt, Stream
from service.transfer.columns import as_events, check_columns, check_rows

MESSAGE_EVENTS = 1000
MESSAGE_BYTES = 1024 * 1024
"""Most of one stream message, before it is packed; a single event may be larger."""
_UNDER_WAY = 16
_PUBLISH_TIMEOUT = 10.0
_STORE_TIMEOUT = 120.0
_FULLEST = 0.5
"""Share of the stream past which a transfer waits, so that other senders are not refused."""


class Landed(msgspec.Struct, frozen=True):
    """What became of the events of one piece; the two add up to all of them."""

    imported: int
    known: int
    """Events that were there before, be it that their user was erased since."""
    first: int
    last: int
    """The positions between which the imported ones stand."""


@dataclass(frozen=True, slots=True)
class Way:
    """What a piece passes on its way in."""

    environments: Environments
    erasures: Erasures
    stream: Stream
    store: EventStore
    mark: Mark
    stream_bytes: int
    """What the stream may hold."""
    field_bytes: int
    """Largest `metadata` or `payload`."""


async def land(way: Way, rows: pa.Table, first: int, again: bool) -> Landed:
    """Send rows of a file, wait until they are stored, and make sure that they are.

    `first` is the number of the first row, for messages. `again` says that an earlier try may have
    sent some of them: what the stream has of them counts as imported.

    Raises, before anything is sent, InvalidInput when a row is none that a door would take and
    NotFound when its environment is not there; IngestionUnavailable or NotCountedYet when the same
    piece has to be sent again later; TransferFailed when an event is not in the store although it
    must be.
    """
    check_columns(rows.schema)
    await asyncio.to_thread(check_rows, rows, first, way.field_bytes)
    for environment in rows["environment"].unique().to_pylist():
        await way.environments.find(environment)
    staying = Reaches(await way.erasures.reaches()).staying(rows)
    if not staying.num_rows:
        here = way.mark.progress.position
        return Landed(0, rows.num_rows, here, here)
    landed = await _land(way, staying, first, again)
    return msgspec.structs.replace(landed, known=rows.num_rows - landed.imported)


async def _land(way: Way, rows: pa.Table, first: int, again: bool) -> Landed:
    batches = await asyncio.to_thread(lambda: list(_batches(rows)))
    await _wait_for_room(way)
    receipts = await _send(way.stream, batches)
    positions = [way.mark.progress.epoch << EPOCH_SHIFT | r.sequence for r in receipts]
    if not await way.mark.wait(max(positions), _STORE_TIMEOUT):
        raise NotCountedYet("the events are on the stream, but no writer stores them", 5.0)
    fresh = [p for p, r in zip(positions, receipts, strict=True) if again or not r.duplicate]
    placed = await _placed(way.store, fresh)
    if placed["events"] < rows.num_rows:
        await _find_each(way.store, rows, first)
    elif placed != _expected(batches):
        raise TransferFailed(
            f"the events of the piece at row {first} are stored otherwise than sent"
        )
    known = rows.num_rows - placed["events"]
    return Landed(placed["events"], known, min(positions), max(positions))


async def _wait_for_room(way: Way) -> None:
    if (await way.stream.state()).bytes > _FULLEST * way.stream_bytes:
        raise IngestionUnavailable(
            "the stream is half full; the rest is left to other senders", 5.0
        )


async def _send(stream: Stream, batches: Sequence[Batch]) -> Sequence[Receipt]:
    """Publish the batches in their order; a receipt each."""
    gate = asyncio.Semaphore(_UNDER_WAY)

    async def publish(batch: Batch) -> Receipt:
        async with gate:
            body = pack(batch)  # not in a thread: one compressor packs for all
            name = hashlib.blake2b(body, digest_size=16, key=batch.tenant.encode()).hexdigest()
            return await stream.publish(batch.tenant, name, body, _PUBLISH_TIMEOUT)

    return await asyncio.gather(*map(publish, batches))


def _batches(rows: pa.Table) -> Iterator[Batch]:
    """The rows as batches: neighbours of one environment travel together."""
    rows = rows.combine_chunks()
    environments = rows["environment"].dictionary_encode().combine_chunks().indices
    changes = np.flatnonzero(np.diff(np.asarray(environments))) + 1
    for begin, end in pairwise([0, *changes.tolist(), rows.num_rows]):
        for part in _fitting(rows.slice(begin, end - begin)):
            yield _batch(part)


def _batch(rows: pa.Table) -> Batch:
    """Rows of one environment as a batch, each with the time at which it was received."""
    environment = rows["environment"][0].as_py()
    received = rows["received_at"].cast(pa.int64()).combine_chunks()
    times = pc.min_max(received).as_py()
    apart = None if times["min"] == times["max"] else received
    return Batch(environment, times["min"], as_events(rows, environment), apart)


def _fitting(rows: pa.Table) -> Iterator[pa.Table]:
    if rows.num_rows > 1 and (rows.num_rows > MESSAGE_EVENTS or rows.nbytes > MESSAGE_BYTES):
        half = rows.num_rows // 2
        yield from _fitting(rows.slice(0, half))
        yield from _fitting(rows.slice(half))
    else:
        yield rows


async def _placed(store: EventStore, positions: Sequence[int]) -> dict[str, int]:
    """What the store holds of these messages."""
    first, last = (min(positions), max(positions)) if positions else (0, 0)
    values = {"positions": sorted(positions), "first": first, "last": last}
    [sums] = await store.fetch(Statement("transfer_placed", values))
    found: dict[str, int] = sums.to_pylist()[0]
    return found


def _expected(batches: Sequence[Batch]) -> dict[str, int]:
    """What `transfer_placed` says when all of the events are new."""
    events = pa.Table.from_batches([batch.events for batch in batches])

    def total(*columns: pa.ChunkedArray) -> int:
        return sum(int(pc.sum(column).as_py()) for column in columns)

    def keys(name: str) -> int:
        return int((events[name].to_numpy() % np.uint64(2**32)).sum())

    def characters(*names: str) -> int:
        return total(*(pc.utf8_length(events[name]) for name in names))

    return {
        "events": events.num_rows,
        "ids": keys("event_key"),
        "users": keys("user_key"),
        "sessions": keys("session_key"),
        "times": total(events["timestamp"]),
        "receipts": sum(map(_received, batches)),
        "priorities": total(events["priority"]),
        "words": characters("event_type", "source"),
        "text": characters("metadata", "payload"),
    }


def _received(batch: Batch) -> int:
    if batch.received_apart is None:
        return batch.received_at * int(batch.events.num_rows)
    total: int = pc.sum(batch.received_apart).as_py()
    return total


async def _find_each(store: EventStore, rows: pa.Table, first: int) -> None:
    """Make sure that the store has every event of `rows`, stored now or before."""
    there = await store.recognise(_candidates(rows))
    missing = rows.take(np.setdiff1d(np.arange(rows.num_rows), there["row"].to_numpy()))
    for environment in missing["environment"].unique().to_pylist():
        ids = set(
            missing.filter(pc.equal(missing["environment"], environment))["event_id"].to_pylist()
        )
        values = {"tenant": environment, "ids": sorted(ids)}
        [known] = await store.fetch(Statement("transfer_known", values))
        if (lost := len(ids) - known["events"][0].as_py()) > 0:
            raise TransferFailed(
                f"{lost} events of the piece at row {first} are not in the store; "
                "`headrace dead-letters list` says whether the writer could not read them"
            )


def _candidates(rows: pa.Table) -> pa.Table:
    size = rows.num_rows
    return pa.table(
        {
            "row": pa.array(np.arange(size), pa.uint32()),
            "tenant": rows["environment"],
            "event_id": rows["event_id"],
            "position": pa.nulls(size, pa.uint64()),
            "timestamp": rows["timestamp"].cast(pa.int64()),
        }
    )
