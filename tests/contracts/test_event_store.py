"""What every event store promises, checked on each of them."""

import asyncio
import os
import subprocess
import sys
from contextlib import AsyncExitStack
from dataclasses import replace

import pyarrow as pa
import pytest
from duckdb import InvalidInputException

from service.errors import AnalyticsUnavailable, DataDirectoryBusy, QuestionTooBig, StoreFenced
from service.storage.clickhouse import _inserts as clickhouse_inserts
from service.storage.clickhouse_chdb import InProcess
from service.storage.cost import UNKNOWN, cost_of
from service.storage.duckdb import DuckDBStore
from service.storage.mark import Mark
from service.storage.protocol import Progress, Statement
from tests.building import NOON, TENANT, an_event
from tests.contracts.conftest import CLICKHOUSES, an_opener
from tests.storing import a_group, put

EVERYTHING = {"after": 0, "until": 2**63 - 1}


@pytest.fixture
async def open_way(tmp_path):
    """Makes what opens a store in this way; all of it is closed at the end."""
    async with AsyncExitStack() as parts:

        async def opener(way):
            opened = await an_opener(way, tmp_path, parts)
            parts.push_async_callback(opened.close)
            return opened

        yield opener


@pytest.fixture(params=["duckdb", *CLICKHOUSES])
async def reopen(request, open_way):
    """Opens the store of this test, again if it is open."""
    return await open_way(request.param)


@pytest.fixture(params=CLICKHOUSES)
async def clickhouse(request, open_way):
    return await open_way(request.param)


@pytest.fixture
async def store(reopen):
    return await reopen()


@pytest.fixture
async def duckdb(open_way):
    return await (await open_way("duckdb"))()


async def stored(store) -> int:
    [table] = await store.fetch(Statement("rows_between", EVERYTHING))
    return table["rows"][0].as_py()


async def test_a_new_store_has_read_nothing(store):
    assert await store.progress() == Progress()


async def test_rows_and_progress_move_together_and_are_there_after_a_restart(reopen):
    after = await put(await reopen(), ["e1", "e2"], ["e3"])
    store = await reopen()
    assert await store.progress() == after == Progress(0, "stream", 2, "m2", 2000)
    assert await stored(store) == 3


async def test_a_group_that_does_not_begin_at_the_mark_is_fenced_and_leaves_nothing(store):
    group = a_group(Progress(), ["e1"])
    await store.append(group)
    with pytest.raises(StoreFenced):
        await store.append(group)
    assert await stored(store) == 1
    await store.append(a_group(group.after, ["e2"]))


async def test_a_group_of_another_epoch_is_fenced(store):
    with pytest.raises(StoreFenced):
        await store.append(a_group(Progress(epoch=1), ["e1"]))


async def test_a_group_of_repeats_only_moves_the_mark(store):
    group = a_group(Progress(), ["e1"])
    await store.append(replace(group, rows=group.rows.slice(0, 0)))
    assert await store.progress() == group.after
    assert await stored(store) == 0


async def test_a_new_epoch_begins_where_the_old_one_stood(store):
    before = await put(store, ["e1"])
    await store.append(replace(a_group(before, ["e2"]), after=Progress(1, "anew", 1, "m1", 5)))
    assert (await store.progress()).position == 2**40 + 1


async def test_candidates_are_recognised_by_place_or_time_with_their_full_id(store):
    noon = int(NOON.timestamp() * 1000)
    await put(store, ["e1", an_event("e2", after=1)])
    candidates = [
        (0, TENANT, "e1", 1, None),
        (1, TENANT, "e2", None, noon + 1000),
        (2, "env_other", "e1", 1, None),
        (3, TENANT, "e2", None, noon),
        (4, TENANT, "e1x", 1, None),
        (5, TENANT, "e1", 2, None),
    ]
    names = ("row", "tenant", "event_id", "position", "timestamp")
    kinds = (pa.uint32(), pa.string(), pa.string(), pa.uint64(), pa.int64())
    columns = [pa.array(c, k) for c, k in zip(zip(*candidates, strict=True), kinds, strict=True)]
    known = await store.recognise(pa.table(dict(zip(names, columns, strict=True))))
    assert sorted(known["row"].to_pylist()) == [0, 1]


async def test_statements_of_one_fetch_see_one_snapshot(duckdb):
    count, progress = Statement("rows_between", EVERYTHING), Statement("progress", {})
    asking = [duckdb.fetch(count, progress, count) for _ in range(20)]
    *answers, _ = await asyncio.gather(*asking, _put_one_by_one(duckdb, 20))
    for first, mark, second in answers:
        assert first["rows"][0] == second["rows"][0]
        assert first["rows"][0].as_py() == mark["sequence"][0].as_py()


async def test_what_holds_in_the_snapshot_is_given_to_statements_that_lack_it(duckdb):
    await put(duckdb, ["e1"], ["e2", "e3"])
    await duckdb.execute(Statement("roll_position", {"rolled": 0, "upto": 1}))
    waiting, snapshot = Statement("rollup_next", {"most": 10}), Statement("snapshot", {})
    [_, given] = await duckdb.fetch(snapshot, waiting)
    assert given["events"].to_pylist() == [2]
    [_, own] = await duckdb.fetch(snapshot, Statement("rollup_next", {"most": 10, "rolled": 0}))
    assert own["events"].to_pylist() == [3]


async def _put_one_by_one(store, count: int) -> None:
    for n in range(count):
        await put(store, [f"e{n}"])


async def test_maintenance_is_all_or_nothing(duckdb):
    position = Statement("roll_position", {"rolled": 0, "upto": 7})
    with pytest.raises(FileNotFoundError):
        await duckdb.execute(position, Statement("no_such_statement", {}))
    [state] = await duckdb.fetch(Statement("rollup_state", {}))
    assert state["position"].to_pylist() == [0]


async def test_maintenance_does_not_hold_up_an_append(duckdb):
    async with asyncio.timeout(20):
        await asyncio.gather(
            *(duckdb.execute(Statement("roll_partial", {})) for _ in range(10)),
            _put_one_by_one(duckdb, 10),
        )
    assert await stored(duckdb) == 10


async def test_a_question_past_its_time_is_too_big_and_the_next_one_is_answered(store):
    await put(store, [f"e{n}" for n in range(1000)])
    for _ in range(5):
        with pytest.raises(QuestionTooBig):
            await store.fetch(*[Statement("rows_between", EVERYTHING)] * 10_000, timeout=0.05)
    assert await stored(store) == 1000


async def test_a_caller_that_gives_up_leaves_the_store_usable(store):
    asking = [
        asyncio.create_task(store.fetch(*[Statement("rows_between", EVERYTHING)] * 10_000))
        for _ in range(4)
    ]
    await asyncio.sleep(0.05)
    for task in asking:
        task.cancel()
    ended = await asyncio.gather(*asking, return_exceptions=True)
    assert all(isinstance(end, asyncio.CancelledError) for end in ended)
    await put(store, ["e1"])
    assert await stored(store) == 1


async def test_a_cancelled_append_is_there_or_not_or_pending(store):
    group = a_group(Progress(), *([f"e{b}-{n}" for n in range(1000)] for b in range(20)))
    task = asyncio.create_task(store.append(group))
    await asyncio.sleep(0.01)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    reached = await store.progress()
    if (pending := await store.pending()) is None:
        assert (reached, await stored(store)) in ((Progress(), 0), (group.after, 20_000))
    else:
        assert (reached, pending.after, pending.rows) == (Progress(), group.after, 20_000)
        await store.append(group)
        assert (await store.progress(), await stored(store)) == (group.after, 20_000)


async def test_what_a_caller_left_unread_is_in_nobodys_answer(store):
    await put(store, [f"e{n}" for n in range(1000)])
    for _ in range(3):
        for costs in (True, False):
            asked = [Statement("ids_between", EVERYTHING)] * 100
            task = asyncio.create_task(store.fetch(*asked, costs=costs))
            await asyncio.sleep(0.05)
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            for _ in range(4):
                [counted] = await store.fetch(Statement("rows_between", EVERYTHING), costs=costs)
                assert counted.to_pylist() == [{"rows": 1000}]


async def test_an_answer_knows_what_the_engine_read_for_it(store):
    await put(store, [f"e{n}" for n in range(100)])
    asked = [Statement("ids_between", EVERYTHING)] * 2
    read = cost_of(await store.fetch(*asked, costs=True))
    assert read.rows == 200
    assert read.bytes is None if store.dialect == "duckdb" else read.bytes > 200


async def test_what_is_not_measured_is_not_known(store):
    [answer] = await store.fetch(Statement("rows_between", EVERYTHING))
    assert cost_of([answer]) == UNKNOWN


async def test_no_statement_changes_a_setting_of_the_engine(duckdb):
    with pytest.raises(InvalidInputException, match="locked"):
        await duckdb.fetch(Statement("set_profiling", {}))


async def test_ping_answers(store):
    await store.ping()


# What ClickHouse promises beside

HOUR = 3600


def a_wide_group(before, partitions=60):
    """Events of so many partitions, a month apart."""
    return a_group(before, [an_event(f"e{n}", after=-n * 720 * HOUR) for n in range(partitions)])


class Breaking:
    """An engine that fails once, at its N-th insert, before it or after."""

    def __init__(self, engine, number, when):
        self._engine, self._left, self._when = engine, number, when

    def __getattr__(self, name):
        return getattr(self._engine, name)

    async def insert(self, *insert):
        self._left -= 1
        if self._left == 0 and self._when == "before":
            raise AnalyticsUnavailable("gone")
        await self._engine.insert(*insert)
        if self._left == 0 and self._when == "after":
            raise AnalyticsUnavailable("gone")


async def counted(store) -> tuple[int, ...]:
    """Rows, and how many rows each view has counted."""
    [rows] = await store.fetch(Statement("rows_between", EVERYTHING))
    views = ("events_by_minute", "users_by_quarter", "users_by_day")
    window = {"start": -(2**62), "end": 2**62}
    found = await store.fetch(*(Statement(f"verify_{view}", window) for view in views))
    return rows["rows"][0].as_py(), *(table["found"][0].as_py() for table in found)


@pytest.mark.parametrize(("number", "when"), [(1, "before"), (2, "after"), (3, "before")])
async def test_a_group_cut_short_is_pending_and_stored_again_once(clickhouse, number, when):
    store = await clickhouse()
    group = replace(a_wide_group(Progress(), 120), keep=b"as judged")
    store._engine = Breaking(store._engine, number, when)
    with pytest.raises(AnalyticsUnavailable):
        await store.append(group)
    store = await clickhouse()
    assert await store.progress() == Progress()
    assert (await store.pending()).keep == b"as judged"
    await store.append(group)
    assert await counted(store) == (120,) * 4
    assert (await store.progress(), await store.pending()) == (group.after, None)


async def test_nothing_but_the_pending_group_may_come_next(clickhouse):
    store = await clickhouse()
    store._engine = Breaking(store._engine, 1, "before")
    with pytest.raises(AnalyticsUnavailable):
        await store.append(a_group(Progress(), ["e1"]))
    await store.progress()
    with pytest.raises(StoreFenced, match="pending"):
        await store.append(a_group(Progress(), ["e1"], ["e2"]))


async def test_a_group_that_follows_a_pending_one_gives_it_up(clickhouse):
    store = await clickhouse()
    torn = a_group(Progress(), ["e1"])
    store._engine = Breaking(store._engine, 1, "before")
    with pytest.raises(AnalyticsUnavailable):
        await store.append(torn)
    await store.progress()
    await store.append(replace(a_group(torn.after, ["e2"]), after=Progress(1, "anew", 1, "m1", 5)))
    assert (await store.progress()).position == 2**40 + 1


async def test_of_two_writers_the_one_that_was_overtaken_is_fenced(clickhouse):
    first = await clickhouse()
    await first.progress()
    second = await clickhouse.another()
    await put(second, ["e1"])
    with pytest.raises(StoreFenced, match="another writer"):
        await first.append(a_group(Progress(), ["e2"]))
    assert await stored(second) == 1
    await second.close()


async def test_a_late_insert_of_a_frozen_writer_changes_nothing(clickhouse):
    frozen, group = await clickhouse(), a_wide_group(Progress())
    frozen._engine = Breaking(frozen._engine, 1, "before")
    with pytest.raises(AnalyticsUnavailable):
        await frozen.append(group)
    other = await clickhouse.another()
    await other.progress()
    await other.append(group)
    with pytest.raises((StoreFenced, AnalyticsUnavailable)):
        await frozen.append(group)
    for token, rows in clickhouse_inserts(group):
        await frozen._insert(token, rows)
    assert await counted(other) == (60,) * 4
    await other.close()


class Drowsy:
    """A ledger that takes a while to come back from a write."""

    def __init__(self, ledger):
        self._ledger = ledger

    def __getattr__(self, name):
        return getattr(self._ledger, name)

    async def write(self, *entry):
        revision = await self._ledger.write(*entry)
        await asyncio.sleep(0.2)
        return revision


async def test_a_writer_that_was_frozen_for_long_inserts_nothing_late(clickhouse):
    store, group = await clickhouse(), a_group(Progress(), ["e1"])
    await store.progress()
    store.patience, store._ledger = 0.1, Drowsy(store._ledger)
    with pytest.raises(AnalyticsUnavailable, match="paused"):
        await store.append(group)
    assert await stored(store) == 0
    assert (await store.pending()).after == group.after


async def test_a_lost_ledger_is_a_stream_that_nobody_knows_after_all_rows(clickhouse):
    store = await clickhouse()
    after = await put(store, ["e1"], ["e2"])
    store._identity = "another"
    found = await store.progress()
    assert (found.position, found.stream_created) == (after.position, "")
    assert await store.pending() is None


async def test_rows_that_are_gone_are_noticed_and_the_stream_is_read_again(clickhouse):
    store = await clickhouse()
    after = await put(store, ["e1"])
    await store.define("TRUNCATE TABLE events")
    found = await store.progress()
    assert (found.position, found.stream_created) == (after.position, "")


async def test_who_only_answers_keeps_up_with_who_writes(clickhouse):
    store, mark = await clickhouse(), Mark()
    reader = await clickhouse.another()
    keeping_up = asyncio.create_task(reader.keep_up(mark))
    after = await put(store, ["e1"])
    assert await mark.wait(after.position, timeout=5)
    keeping_up.cancel()
    await reader.close()


async def test_many_candidates_are_looked_up_in_parts(clickhouse):
    store = await clickhouse()
    await put(store, [f"e{n}" for n in range(5000)])
    noon = int(NOON.timestamp() * 1000)
    candidates = {
        "row": pa.array(range(6000), pa.uint32()),
        "tenant": pa.array([TENANT] * 6000),
        "event_id": pa.array([f"e{n}" for n in range(6000)]),
        "position": pa.array([None] * 6000, pa.uint64()),
        "timestamp": pa.array([noon] * 6000, pa.int64()),
    }
    known = await store.recognise(pa.table(candidates))
    assert sorted(known["row"].to_pylist()) == list(range(5000))


# What DuckDB promises beside


def test_a_duckdb_file_is_held_by_one_process(tmp_path):
    script = "import sys,duckdb; c=duckdb.connect(sys.argv[1]); print(1,flush=True); input()"
    path = tmp_path / "events.duckdb"
    holder = subprocess.Popen(
        [sys.executable, "-c", script, str(path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    with holder:
        holder.stdout.readline()
        with pytest.raises(DataDirectoryBusy, match="HEADRACE_DATA_DIR"):
            DuckDBStore.open(path)
        holder.communicate(os.linesep.encode())


FULL = """
import asyncio, os, resource, signal, sys
from pathlib import Path
from service.errors import Retryable
from service.migrate import migrate
from service.storage.clickhouse_chdb import InProcess
from service.storage.duckdb import DuckDBStore
from tests.building import an_event
from tests.storing import put

async def fill(store):
    for batch in range(100):
        text = lambda: os.urandom(12_000).hex()
        await put(store, [an_event(f"{batch}-{n}", payload={"text": text()}) for n in range(120)])

async def main(path, limit):
    store = DuckDBStore.open(path)
    await migrate(store)
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit << 20, before[1]))
    try:
        await fill(store)
    except Retryable as error:
        print("> refused", error.code, "fatal" if "FATAL" in str(error.__cause__) else "")
    resource.setrlimit(resource.RLIMIT_FSIZE, before)
    reached = await store.progress()
    assert await put(store, ["one more"]) == await store.progress()
    print("> one more", (await store.progress()).sequence - reached.sequence)
    await store.close()

asyncio.run(main(Path(sys.argv[1]), int(sys.argv[2])))
"""


@pytest.mark.parametrize(("megabytes", "how"), [(8, ""), (72, "fatal")])
def test_a_full_disk_refuses_the_append_and_with_room_again_the_next_one_succeeds(
    tmp_path, megabytes, how
):
    """Full while logging, or while a checkpoint is written, which the engine takes for fatal."""
    done = subprocess.run(
        [sys.executable, "-c", FULL, str(tmp_path / "events.duckdb"), str(megabytes)],
        capture_output=True,
        text=True,
        timeout=100,
    )
    said = [line.rstrip() for line in done.stdout.splitlines() if line.startswith(">")]
    refused = f"> refused ANALYTICS_UNAVAILABLE {how}".rstrip()
    assert said == [refused, "> one more 1"], done.stderr


def test_a_folder_of_the_engine_is_held_by_one_process(tmp_path):
    script = "import sys,chdb; c=chdb.connect(sys.argv[1]); print(1,flush=True); input()"
    folder = tmp_path / "clickhouse"
    holder = subprocess.Popen(
        [sys.executable, "-c", script, str(folder)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    with holder:
        holder.stdout.readline()
        with pytest.raises(DataDirectoryBusy, match="another process"):
            asyncio.run(InProcess.open(folder))
        holder.communicate(os.linesep.encode())
