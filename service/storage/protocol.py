"""What the two roads need of an event store: append on one, fetch on the other."""

from collections.abc import Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from typing import Any, Protocol

import pyarrow as pa

from service.storage.sandbox import Query

EPOCH_SHIFT = 40
"""A position is `epoch << EPOCH_SHIFT | stream sequence`: it grows for ever, over epochs too."""


@dataclass(frozen=True, slots=True)
class Progress:
    """How far the store has read the stream; moved in the same transaction as the rows.

    `epoch` counts the streams this store has read; a stream rolled back or made anew begins the
    next one. `stream_created` and `message_id` are what the stream is recognised by.
    """

    epoch: int = 0
    stream_created: str = ""
    sequence: int = 0
    message_id: str = ""
    message_time: int = 0
    """When the stream took the last stored message, ms since 1970 UTC."""

    @property
    def position(self) -> int:
        return self.epoch << EPOCH_SHIFT | self.sequence


@dataclass(frozen=True, slots=True)
class Group:
    """What one insert carries: the rows of the messages after `before` up to `after`."""

    rows: pa.Table
    """As the table `events`: position, ordinal, tenant, event_id, … in its column order."""
    before: Progress
    after: Progress
    keep: bytes = b""
    """Which of the messages' rows these are, a bit each (NumPy's `packbits`); empty: all."""


@dataclass(frozen=True, slots=True)
class Pending:
    """A group that was begun and perhaps stored in part: it has to be stored again, the same."""

    before: Progress
    after: Progress
    rows: int
    keep: bytes


@dataclass(frozen=True, slots=True)
class Statement:
    """A file of `queries/` by name, and the values of its `{name:Type}` parameters.

    Or a piece, like `frames.page`, with the parts that go into its holes: statements again.
    """

    name: str
    values: Mapping[str, Any] = field(default_factory=dict)
    parts: Mapping[str, "Sequence[Statement]"] = field(default_factory=dict)


class EventStore(Protocol):
    """A columnar engine that keeps events.

    Safe to call from many tasks at once. Every method may raise AnalyticsUnavailable when the
    engine does not answer.
    """

    dialect: str
    """`duckdb` or `clickhouse`: which sibling of a statement and which migrations it takes."""

    async def progress(self) -> Progress:
        """How far the store has read the stream."""
        ...

    async def pending(self) -> Pending | None:
        """The group that was begun and not finished, if there is one; to be asked after `progress`.

        It must be the next to be appended, with the same rows. A group that begins where it ends
        gives it up instead: its rows count as stored.
        """
        ...

    async def append(self, group: Group) -> None:
        """Store a group and move the progress mark: both, or neither, or the group is pending.

        Raises StoreFenced when the mark is not where the group begins.
        """
        ...

    async def recognise(self, candidates: pa.Table) -> pa.Table:
        """Which candidates are stored already, by full id: the rows of `candidates` that are.

        Candidates have `row` (uint32, the caller's number), `tenant`, `event_id`, and either
        `position` (uint64, where the near net saw the digest first) or `timestamp` (int64 ms, for
        the far net); the other one is null. The answer has the column `row`.
        """
        ...

    async def fetch(
        self, *statements: Statement, timeout: float | None = None, costs: bool = False
    ) -> list[pa.Table]:
        """Ask questions of one snapshot; a table each, which with `costs` knows its cost.

        Where the engine has snapshots, what the first statement answers in one row gives the
        others the values that they lack: what holds in the snapshot.

        Raises QuestionTooBig past the time (`timeout` seconds) or memory cap.
        """
        ...

    async def consult(self, query: Query, timeout: float) -> pa.Table:
        """Answer a user's query, checked and bound to a tenant, where nothing can be changed.

        The table knows its cost. Raises InvalidSql for what the engine does not understand,
        QuestionTooBig past the caps of time, memory, rows or bytes.
        """
        ...

    async def execute(self, *statements: Statement) -> None:
        """Carry out maintenance (rollups, erasure) in one transaction, apart from `append`."""
        ...

    def still(self) -> AbstractAsyncContextManager[None]:
        """Nothing is written in the block; who wants to waits for its end.

        Raises Conflict where the engine is a server, which others write to.
        """
        ...

    async def ping(self) -> None:
        """Return when the engine answers."""
        ...

    async def close(self) -> None: ...
