"""The event store on ClickHouse: a server or cluster over HTTP, or the engine in this process.

ClickHouse has no transactions: an insert may be there in part, for some partitions and some views.
So the ledger notes each group before its first row and after its last, and a group that was begun
and not done is stored again, the same rows under the same tokens, of which the engine keeps each
once (docs/decisions/0006). Rollups are views that the engine keeps, so there is no step for them.
"""

import asyncio
import secrets
import time
from collections.abc import Iterator, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from service import crash
from service.errors import AnalyticsUnavailable, Conflict, QuestionTooBig, StoreFenced
from service.storage.cluster import on_all_shards
from service.storage.ledger import Entry, Ledger
from service.storage.mark import Mark
from service.storage.protocol import EPOCH_SHIFT, Group, Pending, Progress, Statement
from service.storage.sandbox import Query
from service.storage.statements import bound
from service.telemetry import log

PARTITION_MS = 2_592_000_000
"""How much of event time one partition of `events` holds (migrations/clickhouse/0001)."""
MOST_PARTITIONS = 50
"""Partitions that one insert touches at most; the engine refuses more than a hundred."""
MOST_CANDIDATES = 2_000
"""Candidates that one look for known events names: their ids travel as parameters."""

LONGEST_PAUSE = 60.0
"""Seconds between a group's note in the ledger and its insert after which nothing is inserted."""

_INSERTING = {
    "insert_deduplicate": "1",
    "deduplicate_blocks_in_dependent_materialized_views": "1",
    # A group is one block, however the server's own profile would cut, gather or spread it.
    "async_insert": "0",
    "max_insert_threads": "1",
    "min_insert_block_size_rows": "100000000",
    "min_insert_block_size_bytes": "4000000000",
}
_INSERTING_ON_CLUSTER = {
    # On a majority of replicas before it counts as stored; and spread before it is answered.
    "insert_quorum": "auto",
    "insert_quorum_parallel": "0",
    "distributed_foreground_insert": "1",
}
_READING_ON_CLUSTER = {"select_sequential_consistency": "1"}
"""What the writer reads is what a majority has; a replica that lags behind must not answer."""


class Engine(Protocol):
    """A way to a ClickHouse engine. Every method may raise AnalyticsUnavailable."""

    async def ask(
        self,
        text: str,
        values: Mapping[str, Any],
        timeout: float | None,
        settings: Mapping[str, str],
        costs: bool = False,
    ) -> pa.Table:
        """Answer one question; cancelling ends it in the engine too. Raises QuestionTooBig."""
        ...

    async def consult(self, query: Query, timeout: float) -> pa.Table:
        """Answer a user's query, as `EventStore.consult`."""
        ...

    async def command(self, text: str, values: Mapping[str, Any]) -> None: ...

    async def insert(self, table: str, rows: pa.Table, settings: Mapping[str, str]) -> None: ...

    async def close(self) -> None: ...


@dataclass(frozen=True, slots=True)
class _Disagreement:
    """What the ledger says otherwise than the rows do."""

    alarm: str
    about: Mapping[str, int]
    progress: Progress
    """Up to where rows may be stored; it names no stream."""


class ClickHouseStore:
    """An EventStore on a ClickHouse engine.

    Without a ledger it can be asked and migrated, not written. The statements of one `fetch` run
    beside each other, each on what it finds: a group under way may be in one answer and not in
    another.
    """

    dialect = "clickhouse"

    def __init__(
        self, engine: Engine, ledger: Ledger | None = None, *, shared: bool, cluster: str = ""
    ) -> None:
        self._engine = engine
        self._ledger = ledger
        self.shared = shared
        self.cluster = cluster
        self.patience = LONGEST_PAUSE
        self._writer = secrets.token_hex(8)
        self._identity = ""
        self._entry: Entry | None = None
        """The ledger as this object last read or moved it."""
        self._revision = 0

    async def progress(self) -> Progress:
        """How far the store is, by the ledger, if ledger and rows agree.

        Where they do not, the broker's disk or the store's was lost or set back. Then the progress
        names no stream, so that the writer reads all of the stream again, and judges by id.
        """
        ledger, identity = self._its_ledger(), await self._table_identity()
        while True:
            self._entry, self._revision = await _reached(ledger.read(identity))
            if (wrong := await self._disagreement(self._entry)) is None:
                break
            _, revision = await _reached(ledger.read(identity))
            if revision == self._revision:  # else a writer has moved it between the two looks
                log().critical(wrong.alarm, advice=_READ_AGAIN, **wrong.about)
                self._entry = _settled(wrong.progress, self._writer)
                break
        return self._entry.progress if self._entry else Progress()

    async def pending(self) -> Pending | None:
        if self._entry is None:
            await self.progress()
        return self._entry.pending if self._entry else None

    async def append(self, group: Group) -> None:
        begun, awake = self._begin(group), time.monotonic()
        if group.rows.num_rows:
            await self._write(begun)
            crash.point("ledger.after_begin")
            for number, (token, rows) in enumerate(_inserts(group)):
                if number:
                    crash.point("ledger.between_inserts")
                self._refuse_if_paused(awake)
                await self._insert(token, rows)
                awake = time.monotonic()
            crash.point("ledger.before_done")
        await self._write(_done(begun))

    async def recognise(self, candidates: pa.Table) -> pa.Table:
        found = [await self._recognise(part) for part in _parts(candidates)]
        return pa.table({"row": pa.concat_arrays([pa.array([], pa.uint32()), *found])})

    async def fetch(
        self, *statements: Statement, timeout: float | None = None, costs: bool = False
    ) -> list[pa.Table]:
        asking = [asyncio.ensure_future(self._ask(asked, timeout, costs)) for asked in statements]
        try:
            async with asyncio.timeout(timeout):
                return await asyncio.gather(*asking)
        except TimeoutError:
            raise QuestionTooBig(
                f"the question took longer than {timeout:g} s; ask for a shorter range"
            ) from None
        finally:
            for one in asking:
                one.cancel()
            await asyncio.gather(*asking, return_exceptions=True)

    async def consult(self, query: Query, timeout: float) -> pa.Table:
        try:
            async with asyncio.timeout(timeout):
                return await self._engine.consult(query, timeout)
        except TimeoutError:
            raise QuestionTooBig(
                f"the query took longer than {timeout:g} s; ask for less time or fewer columns"
            ) from None

    async def execute(self, *statements: Statement) -> None:
        """Carry out statements one after the other; what is done stays done if one fails."""
        for ordered in statements:
            text, values = bound(ordered, self.dialect)
            text = on_all_shards(text, self.cluster) if self.cluster else text
            await self._engine.command(text, values)

    async def define(self, definition: str, record: Statement | None = None) -> None:
        """Carry out one step of a migration, then note that it is done."""
        await self._engine.command(definition, {})
        if record:
            crash.point("migrate.before_note")
            await self.execute(record)

    def still(self) -> AbstractAsyncContextManager[None]:
        raise Conflict("ClickHouse cannot be held still from here: it has backups of its own")

    async def keep_up(self, mark: Mark) -> None:
        """Advance the mark as another process moves the ledger; until cancelled."""
        identity = await self._table_identity()
        async for entry in self._its_ledger().follow(identity):
            if entry.progress != mark.progress:
                mark.advance(entry.progress)

    async def ping(self) -> None:
        await self.fetch(Statement("ping", {}), timeout=5)

    async def close(self) -> None:
        await self._engine.close()

    # The ledger

    def _its_ledger(self) -> Ledger:
        assert self._ledger, "this store was opened without a ledger"
        return self._ledger

    async def _table_identity(self) -> str:
        """What the ledger calls this store: a table made anew has another name, and no past."""
        if not self._identity:
            [found] = await self.fetch(Statement("table_identity", {}))
            if not found.num_rows:
                raise AnalyticsUnavailable(
                    "there is no table of events yet; run `headrace migrate`"
                )
            self._identity = found["identity"][0].as_py()
        return self._identity

    async def _disagreement(self, entry: Entry | None) -> "_Disagreement | None":
        last = entry.after.position if entry else 0
        [beyond] = await self.fetch(Statement("highest_position", {"after": last}))
        highest = beyond["highest"][0].as_py()
        if highest > last:
            stored = Progress(highest >> EPOCH_SHIFT, "", highest & (1 << EPOCH_SHIFT) - 1)
            return _Disagreement(
                "storage.ledger_lost", {"position": highest, "ledger": last}, stored
            )
        if entry and entry.done and entry.rows and not await self._holds_rows_of(entry):
            stored = Progress(entry.after.epoch, "", entry.after.sequence)
            about = {"position": last, "rows": entry.rows}
            return _Disagreement("storage.rows_lost", about, stored)
        return None

    async def _holds_rows_of(self, entry: Entry) -> bool:
        place = {"after": entry.before.position, "until": entry.after.position}
        [counted] = await self.fetch(Statement("rows_between", place))
        return bool(counted["rows"][0].as_py())

    def _begin(self, group: Group) -> Entry:
        """The entry of a group that is the one to come; raises StoreFenced for another one."""
        entry = self._entry
        progress = entry.progress if entry else Progress()
        pending = entry.pending if entry else None
        gives_up = pending is not None and group.before == pending.after
        if not gives_up and group.before != progress:
            raise StoreFenced(
                f"the store is not at epoch {group.before.epoch}, sequence {group.before.sequence}"
            )
        if pending and not gives_up and group.after != pending.after:
            raise StoreFenced("a group is pending; it has to be stored first")
        return Entry(
            group.before, group.after, False, group.rows.num_rows, group.keep, self._writer
        )

    async def _write(self, entry: Entry) -> None:
        ledger, identity = self._its_ledger(), await self._table_identity()
        self._revision = await _reached(ledger.write(identity, entry, self._revision))
        self._entry = entry

    def _refuse_if_paused(self, awake: float) -> None:
        """A process that was frozen so long may have been overtaken, and its token forgotten."""
        if time.monotonic() - awake > self.patience:
            raise AnalyticsUnavailable("this writer was paused; it looks at the ledger anew")

    # The engine

    async def _insert(self, token: str, rows: pa.Table) -> None:
        settings = {**_INSERTING, "insert_deduplication_token": token}
        if self.cluster:
            settings |= _INSERTING_ON_CLUSTER
        await self._engine.insert("events", rows, settings)

    async def _ask(self, asked: Statement, timeout: float | None, costs: bool) -> pa.Table:
        text, values = bound(asked, self.dialect)
        settings = _READING_ON_CLUSTER if self.cluster and timeout is None else {}
        return await self._engine.ask(text, values, timeout, settings, costs)

    async def _recognise(self, candidates: pa.Table) -> pa.Array:
        values = {
            "positions": pc.unique(candidates["position"].drop_null()).to_pylist(),
            "timestamps": pc.unique(candidates["timestamp"].drop_null()).to_pylist(),
            "tenants": pc.unique(candidates["tenant"]).to_pylist(),
            "ids": pc.unique(candidates["event_id"]).to_pylist(),
        }
        [stored] = await self.fetch(Statement("recognise", values))
        return _known(candidates, stored)


_READ_AGAIN = "a disk was lost or set back; the stream is read again, repeats are judged by id"


async def _reached(asking: Any) -> Any:
    """What the ledger answers; that the broker is away is said as the store's own absence."""
    try:
        return await asking
    except ConnectionError as error:
        raise AnalyticsUnavailable(f"the ledger cannot be reached: {error}") from error


def _done(begun: Entry) -> Entry:
    """The same entry once all rows are there; what is kept is of no use then."""
    return Entry(begun.before, begun.after, True, begun.rows, b"", begun.writer)


def _settled(progress: Progress, writer: str) -> Entry:
    return Entry(progress, progress, True, 0, b"", writer)


def _inserts(group: Group) -> Iterator[tuple[str, pa.Table]]:
    """The inserts of a group and their tokens, a pure function of its place and rows.

    Recent events are one insert. Late ones have inserts of their own, each of few partitions: an
    insert is atomic in each partition only.
    """
    after, before = group.after, group.before
    first = before.sequence + 1 if before.epoch == after.epoch else 1
    name = f"{after.epoch}:{first}-{after.sequence}"
    for number, rows in enumerate(_cut(group.rows)):
        yield f"{name}:{number}", rows


def _cut(rows: pa.Table) -> Iterator[pa.Table]:
    partitions = rows["timestamp"].to_numpy() // PARTITION_MS
    current = rows["received_at"].to_numpy().max() // PARTITION_MS
    late = partitions < current - 1
    if not late.any() and len(np.unique(partitions)) <= MOST_PARTITIONS:
        yield rows
        return
    for part in (~late, late):
        named = np.unique(partitions[part])[::-1]
        for start in range(0, len(named), MOST_PARTITIONS):
            chosen = part & np.isin(partitions, named[start : start + MOST_PARTITIONS])
            yield rows.filter(pa.array(chosen))


def _parts(candidates: pa.Table) -> Iterator[pa.Table]:
    for start in range(0, candidates.num_rows, MOST_CANDIDATES):
        yield candidates.slice(start, MOST_CANDIDATES)


def _known(candidates: pa.Table, stored: pa.Table) -> pa.Array:
    """The numbers of the candidates that are among the stored events."""
    rows = zip(*(stored[name].to_pylist() for name in _PLACES), strict=True)
    placed, timed = set(), set()
    for tenant, event_id, position, timestamp in rows:
        placed.add((tenant, event_id, position))
        timed.add((tenant, event_id, timestamp))
    names = list(
        zip(candidates["tenant"].to_pylist(), candidates["event_id"].to_pylist(), strict=True)
    )
    positions, timestamps = candidates["position"].to_pylist(), candidates["timestamp"].to_pylist()
    known = [
        (*name, position) in placed if position is not None else (*name, timestamp) in timed
        for name, position, timestamp in zip(names, positions, timestamps, strict=True)
    ]
    numbers: pa.Array = candidates["row"].combine_chunks().filter(pa.array(known, pa.bool_()))
    return numbers


_PLACES = ("tenant", "event_id", "position", "timestamp")
