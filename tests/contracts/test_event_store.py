"""What every event store promises, checked on each of them."""

import asyncio
import os
import subprocess
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from service.errors import DataDirectoryBusy, QuestionTooBig, StoreFenced
from service.migrate import migrate
from service.storage.duckdb import DuckDBStore
from service.storage.protocol import Progress, Statement
from tests.building import NOON, TENANT, an_event
from tests.storing import a_group, put

OPENERS: dict[str, Callable[[Path], Any]] = {
    "duckdb": lambda folder: DuckDBStore.open(folder / "events.duckdb", "256MB"),
}
EVERYTHING = {"after": 0, "until": 2**63 - 1}


@pytest.fixture(params=OPENERS)
async def reopen(request, tmp_path) -> AsyncIterator[Callable[[], Awaitable[Any]]]:
    """Opens the store of this test, again if it is open; it is closed at the end."""
    opened: list[Any] = []

    async def open_again():
        if opened:
            await opened.pop().close()
        opened.append(OPENERS[request.param](tmp_path))
        await migrate(opened[0])
        return opened[0]

    yield open_again
    await opened.pop().close()


@pytest.fixture
async def store(reopen):
    return await reopen()


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


async def test_statements_of_one_fetch_see_one_snapshot(store):
    count, progress = Statement("rows_between", EVERYTHING), Statement("progress", {})
    asking = [store.fetch(count, progress, count) for _ in range(20)]
    *answers, _ = await asyncio.gather(*asking, _put_one_by_one(store, 20))
    for first, mark, second in answers:
        assert first["rows"][0] == second["rows"][0]
        assert first["rows"][0].as_py() == mark["sequence"][0].as_py()


async def _put_one_by_one(store, count: int) -> None:
    for n in range(count):
        await put(store, [f"e{n}"])


async def test_maintenance_is_all_or_nothing(store):
    position = Statement("roll_position", {"rolled": 0, "upto": 7})
    with pytest.raises(FileNotFoundError):
        await store.execute(position, Statement("no_such_statement", {}))
    [state] = await store.fetch(Statement("rollup_state", {}))
    assert state["position"].to_pylist() == [0]


async def test_maintenance_does_not_hold_up_an_append(store):
    async with asyncio.timeout(20):
        await asyncio.gather(
            *(store.execute(Statement("roll_partial", {})) for _ in range(10)),
            _put_one_by_one(store, 10),
        )
    assert await stored(store) == 10


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


async def test_a_cancelled_append_is_wholly_there_or_wholly_not(store):
    group = a_group(Progress(), *([f"e{b}-{n}" for n in range(1000)] for b in range(20)))
    task = asyncio.create_task(store.append(group))
    await asyncio.sleep(0.01)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert (await store.progress(), await stored(store)) in (
        (Progress(), 0),
        (group.after, 20_000),
    )


async def test_ping_answers(store):
    await store.ping()


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
