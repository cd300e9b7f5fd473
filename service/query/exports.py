"""Events out of the store as they are, page by page: as many as there are, in constant memory.

The contract:

* Each page is a question of its own, with a question's time cap: between two pages nothing is held
  in the store, however long the reader takes.
* A page is looked for in a stretch of time that is as long as the last ones show that it has to be,
  so that the whole costs about as much as reading the range once.
* What is stored after the first page was asked for is not among the events. Every event has its
  cursor; what follows it may be asked for at any time, of any process.
"""

from collections import Counter
from collections.abc import AsyncGenerator
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc

from service.errors import Overloaded, QuestionTooBig, RateLimited
from service.formats.columns import DOCUMENT, MOMENT
from service.query.catalog import MINUTE, SECOND
from service.query.language.exporting import Place, Wanted, page_of_events
from service.query.parameters import Range
from service.storage.mark import Mark
from service.storage.protocol import EventStore

MOST, MOST_OF_ONE = 16, 4
"""Exports at the same time in a process, and of one tenant."""
PAGE_EVENTS, PAGE_BYTES = 2_000, 4 * 1024 * 1024
"""Events of a page at most, and how large pages are to be."""

SCHEMA = pa.schema(
    [
        pa.field("eventId", pa.string()),
        pa.field("eventType", pa.string()),
        pa.field("userId", pa.string()),
        pa.field("sessionId", pa.string()),
        pa.field("source", pa.string()),
        pa.field("timestamp", MOMENT),
        pa.field("receivedAt", MOMENT),
        pa.field("priority", pa.int64()),
        pa.field("metadata", DOCUMENT),
        pa.field("payload", DOCUMENT),
        pa.field("cursor", pa.string()),
    ]
)
"""An event as it is exported. Ids and source are null where there are none."""

_FEWEST = 50
_COME_AGAIN = 5.0


class Exports:
    """The events of each tenant, for those who want them all."""

    def __init__(self, store: EventStore, mark: Mark, timeout: float) -> None:
        self._store = store
        self._mark = mark
        self._timeout = timeout
        self._running: Counter[str] = Counter()

    @property
    def running(self) -> int:
        """How many exports are under way."""
        return self._running.total()

    @property
    def as_of(self) -> int:
        """All events acknowledged up to here (ms since 1970 UTC) are in one that begins now."""
        return self._mark.progress.message_time

    async def pages(self, tenant: str, wanted: Wanted) -> AsyncGenerator[pa.Table]:
        """The events, as tables of `SCHEMA`; the first page comes even if there are none.

        Raises RateLimited and Overloaded when too many go on, QuestionTooBig when not even a second
        of the range can be read in time.
        """
        self._check_room(tenant)
        self._running[tenant] += 1
        try:
            until = self._mark.progress.position if wanted.until is None else wanted.until
            walk, cursors = _Walk.of(wanted), wanted.cursors(until)
            first = True
            while not walk.over or first:
                rows = await self._next(tenant, wanted, walk, until)
                if rows.num_rows or first:
                    yield _as_exported(rows, cursors) if rows.num_rows else SCHEMA.empty_table()
                first = False
        finally:
            self._running -= Counter([tenant])

    async def _next(self, tenant: str, wanted: Wanted, walk: "_Walk", until: int) -> pa.Table:
        stretch, most = walk.stretch, walk.most
        asked = page_of_events(tenant, wanted, stretch, walk.after, until, most)
        try:
            [rows] = await self._store.fetch(asked, timeout=self._timeout)
        except QuestionTooBig:
            if stretch.end - stretch.start <= SECOND:
                raise
            walk.shorten()
            return pa.table({"timestamp": []})
        walk.went(rows)
        return rows

    def _check_room(self, tenant: str) -> None:
        if self.running >= MOST:
            raise Overloaded(f"at most {MOST} exports go on in a process", _COME_AGAIN)
        if self._running[tenant] >= MOST_OF_ONE:
            message = f"at most {MOST_OF_ONE} exports of an environment go on in a process"
            raise RateLimited(message, _COME_AGAIN)


@dataclass(slots=True)
class _Walk:
    """How far an export has come, and how large its next step is."""

    at: int
    end: int
    after: Place | None
    left: int | None
    """Events that are still wanted; None for all."""
    width: int = MINUTE
    size: int = 500
    """Events of the next page."""

    @classmethod
    def of(cls, wanted: Wanted) -> "_Walk":
        after, time = wanted.after, wanted.range
        return cls(after.timestamp if after else time.start, time.end, after, wanted.limit)

    @property
    def over(self) -> bool:
        return self.at >= self.end or self.left == 0

    @property
    def stretch(self) -> Range:
        return Range(self.at, min(self.at + self.width, self.end))

    @property
    def most(self) -> int:
        return self.size if self.left is None else min(self.size, self.left)

    def shorten(self) -> None:
        """The stretch was too long to be read in time."""
        self.width = max(SECOND, self.width // 8)

    def went(self, rows: pa.Table) -> None:
        """These are the events of the stretch, or the first of them if they are `most`."""
        found, most, began = rows.num_rows, self.most, self.at
        if found:
            last = rows.slice(found - 1).to_pylist()[0]
            self.after = Place(last["timestamp"], last["position"], last["ordinal"])
        if found < most:
            self.at = self.stretch.end
            self.width *= 8 if found * 8 < most else 2 if found * 2 < most else 1
        elif self.after:
            self.at = self.after.timestamp
            self.width = max(1, min(self.width, 2 * (self.at - began)))
        if self.left is not None:
            self.left -= found
        if found:
            fitting = PAGE_BYTES * found // max(1, rows.nbytes)
            self.size = max(_FEWEST, min(fitting, 2 * self.size, PAGE_EVENTS))


def _as_exported(rows: pa.Table, cursors: str) -> pa.Table:
    """The rows of the store as `SCHEMA` has them."""
    place = [rows[name].cast(pa.string()) for name in Place.__slots__]
    columns = [
        rows["event_id"],
        rows["event_type"],
        _if_any(rows["user_id"]),
        _if_any(rows["session_id"]),
        _if_any(rows["source"]),
        rows["timestamp"].cast(MOMENT),
        rows["received_at"].cast(MOMENT),
        rows["priority"].cast(pa.int64()),
        rows["metadata"].cast(DOCUMENT),
        rows["payload"].cast(DOCUMENT),
        pc.binary_join_element_wise(cursors, *place, "."),
    ]
    return pa.Table.from_arrays(columns, schema=SCHEMA)


def _if_any(texts: pa.ChunkedArray) -> pa.ChunkedArray:
    """Texts, null where they are empty."""
    return pc.if_else(pc.equal(texts, ""), None, texts)
