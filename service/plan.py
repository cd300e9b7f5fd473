"""What the writer does with a run of stream messages, decided before anything is done.

Pure functions of the log and of what is stored: the same messages give the same plan however often
they are read. The first occurrence of an event in stream order is kept, every later one skipped.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from service.errors import PoisonMessage
from service.events import COLUMNS, Batch, unpack
from service.near_net import Keys, NearNet, Positions
from service.storage.protocol import EPOCH_SHIFT, Group, Pending, Progress
from service.stream.protocol import Message

Numbers = NDArray[np.uint32]
"""Numbers of rows, counted over a run of messages."""


@dataclass(frozen=True, slots=True)
class Poison:
    """A message that cannot be read, and why."""

    message: Message
    reason: str


@dataclass(frozen=True, slots=True)
class Incoming:
    """Messages made readable: one row an event, in stream order."""

    rows: pa.Table
    """As the store's table `events`."""
    poison: Sequence[Poison]
    keys: Keys
    positions: Positions
    times: NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Suspects:
    """Rows that may be repeats of stored events, as `EventStore.recognise` wants them."""

    candidates: pa.Table
    far: int
    """How many of them the near net does not know."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What to insert, and what the near net learns once it is in."""

    group: Group
    keys: Keys
    positions: Positions
    times: NDArray[np.int64]
    repeats: int


def open_messages(messages: Sequence[Message], epoch: int) -> Incoming:
    """Read the messages of one epoch; those that cannot be read come out as poison."""
    positions: list[int] = []
    batches: list[Batch] = []
    poison: list[Poison] = []
    for message in messages:
        try:
            batches.append(_batch(message))
            positions.append(epoch << EPOCH_SHIFT | message.sequence)
        except PoisonMessage as error:
            poison.append(Poison(message, str(error)))
    rows = _rows(positions, batches) if batches else _NO_ROWS
    return Incoming(
        rows=rows,
        poison=poison,
        keys=rows["event_key"].to_numpy(),
        positions=rows["position"].to_numpy(),
        times=rows["timestamp"].to_numpy(),
    )


def suspect(incoming: Incoming, net: NearNet) -> Suspects:
    """Which rows must be looked up in the store.

    Near: the net has seen the digest. Far: the event is no later than the latest event that the
    net has forgotten, so that its first copy may be stored and forgotten.
    """
    seen_at = net.find(incoming.keys)
    near = seen_at != 0
    far = (
        ~near & (incoming.times <= net.evicted_until)
        if net.evicted_until is not None
        else np.zeros(len(near), bool)
    )
    chosen = np.flatnonzero(near | far)
    return Suspects(_candidates(incoming, chosen, seen_at[chosen]), int(far.sum()))


def unconfirmed(incoming: Incoming, suspects: Suspects, stored: Numbers) -> pa.Table:
    """Candidates that the store does not hold where the near net saw their digest.

    Another event has the same digest, and hides from the net whether this one is stored: it is
    asked for once more, by its timestamp.
    """
    rows = suspects.candidates["row"].to_numpy()
    near = suspects.candidates["timestamp"].is_null().to_numpy()
    chosen = np.setdiff1d(rows[near], stored)
    return _candidates(incoming, chosen, np.zeros(len(chosen), np.uint64))


def _candidates(incoming: Incoming, chosen: NDArray[Any], seen_at: Positions) -> pa.Table:
    """Rows as `EventStore.recognise` wants them: by position where that is known (not 0)."""
    near = seen_at != 0
    return pa.table(
        {
            "row": pa.array(chosen, pa.uint32()),
            "tenant": incoming.rows["tenant"].take(chosen),
            "event_id": incoming.rows["event_id"].take(chosen),
            "position": pa.array(seen_at, pa.uint64(), mask=~near),
            "timestamp": pa.array(incoming.times[chosen], pa.int64(), mask=near),
        }
    )


def make_plan(incoming: Incoming, stored: Numbers, before: Progress, after: Progress) -> Plan:
    """Keep the first occurrence of each event that is not stored already.

    `stored` are the numbers of the rows that the store recognised.
    """
    keep = np.ones(len(incoming.keys), bool)
    keep[stored] = False
    keep[_later_copies(incoming, keep)] = False
    return _plan(incoming, keep, before, after)


def make_plan_again(incoming: Incoming, pending: Pending) -> Plan | None:
    """The plan of a group that was begun already, as it was judged then; None if it cannot be.

    It cannot when the messages are not those that it was made of.
    """
    rows = len(incoming.keys)
    keep = np.ones(rows, bool)
    if pending.keep:
        packed = np.frombuffer(pending.keep, np.uint8)
        if len(packed) != -(-rows // 8):
            return None
        keep = np.unpackbits(packed, count=rows).astype(bool)
    if keep.sum() != pending.rows:
        return None
    return _plan(incoming, keep, pending.before, pending.after)


def _plan(incoming: Incoming, keep: NDArray[np.bool_], before: Progress, after: Progress) -> Plan:
    kept = np.flatnonzero(keep)
    whole = len(kept) == len(keep)
    rows = incoming.rows if whole else incoming.rows.take(kept)
    bits = b"" if whole else np.packbits(keep).tobytes()
    return Plan(
        group=Group(rows, before, after, bits),
        keys=incoming.keys[kept],
        positions=incoming.positions[kept],
        times=incoming.times[kept],
        repeats=len(keep) - len(kept),
    )


def _later_copies(incoming: Incoming, keep: NDArray[np.bool_]) -> list[int]:
    """Rows that repeat, by full id, an earlier row of the same run that is kept."""
    kept = np.flatnonzero(keep)
    _, first, groups = np.unique(incoming.keys[kept], return_index=True, return_inverse=True)
    if len(first) == len(kept):
        return []
    again = np.flatnonzero(np.bincount(groups)[groups] > 1)
    tenants, ids = incoming.rows["tenant"], incoming.rows["event_id"]
    seen: set[tuple[str, str]] = set()
    later = []
    for row in kept[again].tolist():
        name = tenants[row].as_py(), ids[row].as_py()
        if name in seen:
            later.append(row)
        seen.add(name)
    return later


def _batch(message: Message) -> Batch:
    batch = unpack(message.body)
    if batch.tenant != message.tenant:
        raise PoisonMessage("the batch names another tenant than its subject")
    return batch


def _rows(positions: Sequence[int], batches: Sequence[Batch]) -> pa.Table:
    """The events of all batches as one table; what a batch says of them all is said of each."""
    counts = np.array([batch.events.num_rows for batch in batches])
    of_batch = np.repeat(np.arange(len(batches)), counts)
    firsts = np.cumsum(counts) - counts
    about = {
        "position": pa.array(np.array(positions, np.uint64)[of_batch]),
        "ordinal": pa.array((np.arange(len(of_batch)) - firsts[of_batch]).astype(np.uint32)),
        "tenant": pa.array([batch.tenant for batch in batches]).take(pa.array(of_batch)),
        "received_at": pa.array(_received(batches, firsts, of_batch)),
    }
    events = pa.Table.from_batches([batch.events for batch in batches]).combine_chunks()
    columns = [about[n] if n in about else events[n] for n in STORED.names]
    return pa.Table.from_arrays(columns, schema=STORED)


def _received(
    batches: Sequence[Batch], firsts: NDArray[np.int64], of_batch: NDArray[np.int64]
) -> NDArray[np.int64]:
    """When each event was taken: with its batch, or at a time of its own."""
    received = np.array([batch.received_at for batch in batches])[of_batch]
    for first, batch in zip(firsts.tolist(), batches, strict=True):
        if batch.received_apart is not None:
            received[first : first + batch.events.num_rows] = batch.received_apart.to_numpy()
    return received


STORED = pa.schema(
    [
        pa.field("position", pa.uint64()),
        pa.field("ordinal", pa.uint32()),
        pa.field("tenant", pa.string()),
        *[COLUMNS.field(i).with_nullable(True) for i in range(8)],
        pa.field("timestamp", pa.int64()),
        pa.field("received_at", pa.int64()),
        *[COLUMNS.field(i).with_nullable(True) for i in range(9, len(COLUMNS))],
    ]
)
"""The columns of the store's table `events`, in its order."""

_NO_ROWS = STORED.empty_table()
