"""Pipelines of the tests' own: a source that counts, targets that remember."""

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from typing import Any

import msgspec

from service.errors import ConnectorBroken, TargetUnavailable
from service.pipelines import engine, members
from service.pipelines.connectors.protocol import Kind, Surroundings
from service.pipelines.connectors.registry import KINDS
from service.pipelines.engine import Engine
from service.pipelines.members import Members
from service.pipelines.model import (
    Assignment,
    ConnectorConfig,
    Outgoing,
    Place,
    Refused,
    SourceMessage,
    SubscriptionConfig,
    Taken,
)
from service.pipelines.positions import Positions
from service.pipelines.runner import Limits, Parts
from service.pipelines.telling import FigureBook, Logs
from service.stream.jetstream import JetStream
from tests.building import TENANT

LEASE_SECONDS = 1.0


class Counting(msgspec.Struct, frozen=True):
    """A source of `records` messages `{"n", "key"}`, with `keys` different keys."""

    records: int = 100
    keys: int = 7
    at_once: int = 40


class CountingSource:
    def __init__(self, config: Counting) -> None:
        self._config = config

    async def read(self, after: Mapping[str, Any] | None, most: int, wait: float) -> Taken:
        config, start = self._config, after["n"] if after else 0
        end = min(config.records, start + min(most, config.at_once))
        if start == end:
            await asyncio.sleep(min(wait, 0.05))
        keys = config.keys
        values = [{"n": n, "key": n % keys} for n in range(start, end)]
        return Taken([SourceMessage(v, str(v["key"]).encode()) for v in values], {"n": end})

    async def ping(self) -> None: ...

    async def close(self) -> None: ...


class Sqlite(msgspec.Struct, frozen=True):
    """A target in a file. `knows` how far it is, or else replaces by the record's `n`."""

    path: str
    knows: bool = True
    refuses: int = -1
    """The `n` that is refused."""
    away: int = 0
    """How often a write fails with nothing kept."""
    hangs: bool = False
    broken: bool = False
    password: str = ""


class SqliteTarget:
    """Rows `(name, place, n, key)`, in the order in which they were written."""

    def __init__(self, config: Sqlite, around: Surroundings) -> None:
        self._config = config
        self._name = f"{around.subscription_id}.{around.turned}"
        self._file = sqlite3.connect(config.path, timeout=30, isolation_level=None)
        self._file.execute("pragma synchronous=off")
        columns = "name text, place text, n int, key int, at integer primary key autoincrement"
        self._file.execute(f"create table if not exists rows ({columns})")
        self._file.execute("create table if not exists tries (one int)")

    async def written(self) -> Place | None:
        if not self._config.knows:
            return None
        asked = "select place from rows where name = ? order by at desc limit 1"
        found = self._file.execute(asked, [self._name]).fetchone()
        return Place.read(found[0]) if found else None

    async def write(self, batch: Sequence[Outgoing]) -> Sequence[Refused]:
        await self._fail()
        refused = [o for o in batch if o.record["n"] == self._config.refuses]
        kept = [o for o in batch if o not in refused]
        self._file.execute("begin immediate")
        if not self._config.knows:
            gone = [[o.record["n"]] for o in kept]
            self._file.executemany("delete from rows where n = ?", gone)
        rows = [[self._name, o.place.text, o.record["n"], o.record["key"]] for o in kept]
        self._file.executemany("insert into rows (name, place, n, key) values (?, ?, ?, ?)", rows)
        self._file.execute("commit")
        return [Refused(o.place, "it is not liked") for o in refused]

    async def _fail(self) -> None:
        if self._config.hangs:
            await asyncio.Event().wait()
        if self._config.broken:
            raise ConnectorBroken(f"wrong password {self._config.password}")
        self._file.execute("insert into tries values (1)")
        if self._file.execute("select count(*) from tries").fetchone()[0] <= self._config.away:
            raise TargetUnavailable("away for a moment")

    async def ping(self) -> None: ...

    async def close(self) -> None:
        self._file.close()


async def _open_counting(config: Counting, _: Surroundings) -> CountingSource:
    return CountingSource(config)


async def _open_sqlite(config: Sqlite, around: Surroundings) -> SqliteTarget:
    return SqliteTarget(config, around)


SECRET = frozenset({"password"})
TEST_KINDS = {
    **KINDS,
    "COUNTING": Kind("COUNTING", "source", Counting, "counts", open_source=_open_counting),
    "SQLITE": Kind("SQLITE", "target", Sqlite, "a file", SECRET, open_target=_open_sqlite),
}


class Board:
    """Assignments in memory, and the states that were noted."""

    def __init__(self, *assignments: Assignment) -> None:
        self.wanted = {one.pipeline_id: one for one in assignments}
        self.states: dict[str, tuple[str, str]] = {}
        self.deleted: set[str] = set()

    async def live(self) -> Sequence[Assignment]:
        return list(self.wanted.values())

    async def is_gone(self, pipeline_id: str) -> bool:
        return pipeline_id in self.deleted

    async def note_state(
        self, pipeline_id: str, version: int, state: str, reason: str = ""
    ) -> bool:
        self.states[pipeline_id] = (state, reason)
        if state == "error":
            self.wanted.pop(pipeline_id, None)
        return True


def a_subscription(path: Any, name: str = "s", **more: Any) -> SubscriptionConfig:
    """Into a file of SQLite; what is not a field of the subscription's is the target's."""
    fields = {f: more.pop(f) for f in list(more) if f in SubscriptionConfig.__struct_fields__}
    target = ConnectorConfig("SQLITE", {"path": str(path), **more})
    return SubscriptionConfig(name, (), target, **{"backfill": True, **fields})


def an_assignment(
    *subscriptions: SubscriptionConfig, name: str = "p", version: int = 1, **source: Any
) -> Assignment:
    counted = ConnectorConfig("COUNTING", source)
    return Assignment(name, version, TENANT, counted, subscriptions)


async def parts_of(
    stream: JetStream, board: Board, holder: str, give_up: float = 60.0, **around: Any
) -> Parts:
    return Parts(
        stream,
        board,
        TEST_KINDS,
        lambda one: Surroundings(one.tenant, one.pipeline_id, **around),
        Limits(1 << 26, 1 << 24, give_up),
        await Positions.on(stream),
        await Logs.on(stream),
        await FigureBook.on(stream),
        holder,
    )


@asynccontextmanager
async def carrying(stream: JetStream, parts: Parts) -> AsyncIterator[Engine]:
    """An engine at work."""
    leases, workers = await stream.bucket(engine.BUCKET), await stream.bucket(members.BUCKET)
    carries = Engine(parts, leases, Members(workers, parts.holder, 2.0), LEASE_SECONDS)
    stop = asyncio.Event()
    running = asyncio.create_task(carries.run(stop))
    try:
        yield carries
    finally:
        stop.set()
        await running


async def until(holds: Callable[[], Any], within: float = 40.0) -> Any:
    """What `holds` gives, once it is true."""
    async with asyncio.timeout(within):
        while not (found := holds()):
            await asyncio.sleep(0.02)
    return found


def rows(path: Any) -> list[tuple[str, int, int]]:
    """Name, number and key of what a file holds, in the order in which it was written."""
    with suppress(sqlite3.OperationalError):
        file = sqlite3.connect(path, timeout=30)
        try:
            return file.execute("select name, n, key from rows order by at").fetchall()
        finally:
            file.close()
    return []


def assert_whole(path: Any, records: int) -> None:
    """Every record is there once, those of one key in their order."""
    found = rows(path)
    assert sorted(n for _, n, _ in found) == list(range(records))
    for key in {key for *_, key in found}:
        mine = [n for _, n, k in found if k == key]
        assert mine == sorted(mine)
