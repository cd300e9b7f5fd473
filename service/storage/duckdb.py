"""The embedded event store: one DuckDB file, held by this process alone.

Each connection lives in a thread of its own: one appends, one carries out maintenance, a few
read. The file's lock keeps a second process out.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from service import crash
from service.errors import (
    AnalyticsUnavailable,
    DataDirectoryBusy,
    QuestionTooBig,
    StoreFenced,
)
from service.storage.cost import with_cost
from service.storage.duckdb_profile import cost_in
from service.storage.lanes import Lane, Lanes
from service.storage.protocol import Group, Pending, Progress, Statement
from service.storage.sandbox import LARGEST_ANSWER, Query, mistake
from service.storage.statements import bound
from service.telemetry import log

READERS = 2
CONSULTANTS = 2
"""Connections for what users ask in SQL: they wait for each other, and keep nobody else waiting."""
_CUSTOMER_TYPES = "customer."
"""What the types of events begin with that `append_customers` keeps."""

Answer = TypeVar("Answer")
Work = Callable[[duckdb.DuckDBPyConnection], Answer]
_Lane = Lane[duckdb.DuckDBPyConnection]
_Lanes = Lanes[duckdb.DuckDBPyConnection]


class DuckDBStore:
    """An EventStore in one file. Open it with `DuckDBStore.open`."""

    dialect = "duckdb"
    shared = False
    cluster = ""

    def __init__(self, path: Path, memory_limit: str, database: duckdb.DuckDBPyConnection) -> None:
        self._path = path
        self._memory_limit = memory_limit
        self._append = _lanes("append", 1)
        self._maintenance = _lanes("maintenance", 1)
        self._read = _lanes("read", READERS)
        self._consult = _lanes("consult", CONSULTANTS)
        self._invalidated = False
        self._reopening = asyncio.Lock()
        self._connect(database)

    @classmethod
    def open(cls, path: Path, memory_limit: str = "320MB") -> "DuckDBStore":
        """Open or create the file; replays what a killed process left in its log.

        Raises DataDirectoryBusy when another process holds the file.
        """
        return cls(path, memory_limit, _connect(path, memory_limit))

    async def progress(self) -> Progress:
        [table] = await self.fetch(Statement("progress", {}))
        return Progress(**table.to_pylist()[0])

    async def pending(self) -> Pending | None:
        """None: rows and mark move in one transaction, so a group is wholly there or not."""
        return None

    async def append(self, group: Group) -> None:
        await self._run(self._append, lambda connection: _append(connection, group))

    async def recognise(self, candidates: pa.Table) -> pa.Table:
        return await self._run(self._read, lambda connection: _recognise(connection, candidates))

    async def fetch(
        self, *statements: Statement, timeout: float | None = None, costs: bool = False
    ) -> list[pa.Table]:
        ask = _ask_and_measure if costs else _ask
        try:
            async with asyncio.timeout(timeout):
                return await self._run(
                    self._read, lambda connection: _fetch(connection, statements, ask)
                )
        except TimeoutError:
            raise QuestionTooBig(
                f"the question took longer than {timeout:g} s; ask for a shorter range"
            ) from None

    async def consult(self, query: Query, timeout: float) -> pa.Table:
        try:
            async with asyncio.timeout(timeout):
                return await self._run(
                    self._consult, lambda connection: _consult(connection, query)
                )
        except TimeoutError:
            raise QuestionTooBig(
                f"the query took longer than {timeout:g} s; ask for less time or fewer columns"
            ) from None
        except _MISTAKES as error:
            raise mistake(str(error)) from None

    async def execute(self, *statements: Statement) -> None:
        await self._run(self._maintenance, lambda connection: _execute(connection, statements))

    async def define(self, definition: str, record: Statement | None = None) -> None:
        """Carry out one step of a migration and note that it is done, both or neither."""
        await self._run(
            self._maintenance, lambda connection: _define(connection, definition, record)
        )

    @asynccontextmanager
    async def still(self) -> AsyncIterator[None]:
        async with self._append.borrow_all(), self._maintenance.borrow_all():
            yield

    async def ping(self) -> None:
        await self.fetch(Statement("ping", {}))

    async def close(self) -> None:
        """Wait for what runs, then close the file; its log is written into it."""
        async with self._all_lanes() as lanes:
            await asyncio.to_thread(self._disconnect, lanes)
        for lane in lanes:
            lane.thread.shutdown()

    async def _run(self, lanes: _Lanes, work: Work[Answer]) -> Answer:
        if self._invalidated:
            await self._reopen()
        async with lanes.borrow() as lane:
            try:
                return await lane.run(work)
            except duckdb.Error as error:
                if _is_fatal(error):
                    self._invalidated = True
                reading = lanes in (self._read, self._consult)
                raise _translated(error, reading=reading) from error

    async def _reopen(self) -> None:
        """After a fatal error the engine refuses everything until its file is opened anew."""
        async with self._reopening, self._all_lanes() as lanes:
            if not self._invalidated:
                return
            log().warning("storage.duckdb.reopening")
            await asyncio.to_thread(self._disconnect, lanes)
            try:
                database = await asyncio.to_thread(_connect, self._path, self._memory_limit)
            except duckdb.Error as error:
                raise AnalyticsUnavailable("the event store cannot be opened again") from error
            self._connect(database)
            self._invalidated = False

    def _connect(self, database: duckdb.DuckDBPyConnection) -> None:
        self._database = database
        for lanes in (self._append, self._maintenance, self._read, self._consult):
            for lane in lanes.members:
                lane.connection = database.cursor()
        for lane in (*self._read.members, *self._consult.members):
            _carry_out(lane.connection, Statement("set_profiling", {}))
        for lane in self._consult.members:
            _carry_out(lane.connection, Statement("set_memory", {}))
        _carry_out(database, Statement("set_lock", {}))

    def _disconnect(self, lanes: list[_Lane]) -> None:
        for lane in lanes:
            lane.connection.close()
        self._database.close()

    @asynccontextmanager
    async def _all_lanes(self) -> AsyncIterator[list[_Lane]]:
        async with (
            self._append.borrow_all() as appending,
            self._maintenance.borrow_all() as maintaining,
            self._read.borrow_all() as reading,
            self._consult.borrow_all() as consulting,
        ):
            yield [*appending, *maintaining, *reading, *consulting]


def _lanes(name: str, size: int) -> _Lanes:
    return Lanes(f"duckdb-{name}", size, duckdb.DuckDBPyConnection.interrupt)


def _connect(path: Path, memory_limit: str) -> duckdb.DuckDBPyConnection:
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        return duckdb.connect(
            str(path),
            config={
                "memory_limit": memory_limit,
                "threads": "2",
                # A checkpoint holds up commits: at 64 MB for a quarter of a second, at 256 MB for
                # a second and more. At 16 MB, the default, inserts cost a quarter more CPU.
                "checkpoint_threshold": "64MB",
                "preserve_insertion_order": "false",
                "autoinstall_known_extensions": "false",
                "autoload_known_extensions": "false",
                # What a question lays down while it sorts may not fill the disk.
                "max_temp_directory_size": "8GB",
                "enable_external_access": "false",
            },
        )
    except duckdb.IOException as error:
        if "lock" not in str(error):
            raise
        raise DataDirectoryBusy(
            f"{path} is held by another process: stop the other service, "
            "or give this one its own HEADRACE_DATA_DIR"
        ) from error


def _append(connection: duckdb.DuckDBPyConnection, group: Group) -> None:
    with _transaction(connection):
        _move_progress(connection, group.before, group.after)
        with _visible(connection, "rows", group.rows):
            _carry_out(connection, Statement("append_rows", {}))
            if _tells_of_customers(group.rows):
                _carry_out(connection, Statement("append_customers", {}))


def _tells_of_customers(rows: pa.Table) -> bool:
    """Few groups do, and to look here costs a tenth of asking the engine each time."""
    return bool(pc.any(pc.starts_with(rows["event_type"], _CUSTOMER_TYPES)).as_py())


def _move_progress(
    connection: duckdb.DuckDBPyConnection, before: Progress, after: Progress
) -> None:
    values = {
        "before_epoch": before.epoch,
        "before_sequence": before.sequence,
        "epoch": after.epoch,
        "stream_created": after.stream_created,
        "sequence": after.sequence,
        "message_id": after.message_id,
        "message_time": after.message_time,
    }
    [[moved]] = _carry_out(connection, Statement("move_progress", values))
    if moved != 1:
        raise StoreFenced(
            f"the store is not at epoch {before.epoch}, sequence {before.sequence}: "
            "another writer has moved it"
        )


def _recognise(connection: duckdb.DuckDBPyConnection, candidates: pa.Table) -> pa.Table:
    with _transaction(connection), _visible(connection, "candidates", candidates):
        return _ask(connection, Statement("recognise", {}))


def _fetch(
    connection: duckdb.DuckDBPyConnection,
    statements: tuple[Statement, ...],
    ask: Callable[[duckdb.DuckDBPyConnection, Statement], pa.Table],
) -> list[pa.Table]:
    first, *others = statements
    with _transaction(connection):
        answer = ask(connection, first)
        given = answer.to_pylist()[0] if others and answer.num_rows == 1 else {}
        completed = (replace(s, values={**given, **s.values}) for s in others)
        return [answer, *(ask(connection, asked) for asked in completed)]


def _consult(connection: duckdb.DuckDBPyConnection, query: Query) -> pa.Table:
    _carry_out(connection, Statement("set_read_only", {}))
    try:
        asked = connection.sql(query.text, params=dict(query.values))
        reader: pa.RecordBatchReader = asked.to_arrow_reader(_BATCH)
        batches, size = [], 0
        for batch in reader:
            batches.append(batch)
            size += batch.nbytes
            if size > LARGEST_ANSWER:
                raise QuestionTooBig("the answer has too many bytes; ask for less of each row")
        answer = pa.Table.from_batches(batches, reader.schema)
        return with_cost(answer, cost_in(connection.get_profiling_information("json")))
    finally:
        _roll_back(connection)


def _execute(connection: duckdb.DuckDBPyConnection, statements: tuple[Statement, ...]) -> None:
    with _transaction(connection):
        for ordered in statements:
            _carry_out(connection, ordered)


def _define(
    connection: duckdb.DuckDBPyConnection, definition: str, record: Statement | None
) -> None:
    with _transaction(connection):
        connection.execute(definition)
        if record:
            crash.point("migrate.before_note")
            _carry_out(connection, record)


def _ask(connection: duckdb.DuckDBPyConnection, asked: Statement) -> pa.Table:
    columns = _execute_one(connection, asked).fetchnumpy()
    return pa.table({name: _as_arrow(column) for name, column in columns.items()})


def _ask_and_measure(connection: duckdb.DuckDBPyConnection, asked: Statement) -> pa.Table:
    """As `_ask`; the connection has to measure (`queries/set_profiling.duckdb.sql`)."""
    answer = _ask(connection, asked)
    return with_cost(answer, cost_in(connection.get_profiling_information("json")))


def _as_arrow(column: NDArray[Any]) -> pa.Array:
    """A column as it came: what is neither a number nor a truth value is text."""
    kind = pa.string() if column.dtype == object else None
    return pa.array(np.ma.getdata(column), kind, mask=np.ma.getmaskarray(column))


def _carry_out(connection: duckdb.DuckDBPyConnection, ordered: Statement) -> list[tuple[int, ...]]:
    return _execute_one(connection, ordered).fetchall()


def _execute_one(
    connection: duckdb.DuckDBPyConnection, ordered: Statement
) -> duckdb.DuckDBPyConnection:
    """Carry out a statement whose text is parsed once: parsing is a fifth of a small question."""
    text, values = bound(ordered, DuckDBStore.dialect)
    if (parsed := _parsed.get(text)) is None:
        [parsed] = connection.extract_statements(text)
        if len(_parsed) >= _MOST_PARSED:  # queries may be composed in ever new ways
            _parsed.clear()
        _parsed[text] = parsed
    return connection.execute(parsed, values)


_parsed: dict[str, duckdb.Statement] = {}
_MOST_PARSED = 1000


@contextmanager
def _transaction(connection: duckdb.DuckDBPyConnection) -> Iterator[None]:
    connection.begin()
    try:
        yield
        connection.commit()
    except BaseException:
        _roll_back(connection)
        raise


def _roll_back(connection: duckdb.DuckDBPyConnection) -> None:
    try:
        connection.rollback()
    except duckdb.Error as error:  # a failed commit has ended the transaction already
        log().debug("storage.duckdb.rollback_failed", error=str(error))


@contextmanager
def _visible(connection: duckdb.DuckDBPyConnection, name: str, table: pa.Table) -> Iterator[None]:
    connection.register(name, table)
    try:
        yield
    finally:
        connection.unregister(name)


_BATCH = 2048
"""Rows of a user's answer that are taken at a time."""
_MISTAKES = (
    duckdb.ProgrammingError,
    duckdb.DataError,
    duckdb.NotSupportedError,
    duckdb.InvalidInputException,
)
"""Of what a user writes: unknown names, types that do not fit, values out of range."""


def _is_fatal(error: duckdb.Error) -> bool:
    return isinstance(error, duckdb.FatalException) or "database has been invalidated" in str(error)


def _translated(error: duckdb.Error, *, reading: bool) -> Exception:
    if reading and isinstance(error, duckdb.OutOfMemoryException):
        return QuestionTooBig("the question needs more memory than it may use; narrow it")
    if isinstance(error, duckdb.OperationalError) or _is_fatal(error):
        log().error("storage.duckdb.failed", error=str(error))
        return AnalyticsUnavailable("the event store failed; try again")
    return error
