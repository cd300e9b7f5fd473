"""Events into files, out of them and between stores: exact, once, whatever is killed on the way."""

import asyncio
import io
import os
import subprocess
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path

import duckdb
import msgspec
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from rich.console import Console

from loadtests.filled import fill
from service.accounts.audit import SERVICE
from service.accounts.environments import DEFAULT_ENVIRONMENT
from service.api.events.records import WireEvent
from service.bootstrap import open_service, open_store
from service.errors import IngestionUnavailable, InvalidInput, NotFound, TransferFailed
from service.events import Event
from service.moving import export, import_files, move
from service.recordings import recording
from service.settings import Settings
from service.storage.mark import Mark
from service.storage.protocol import Progress
from service.stream.protocol import Receipt, StreamState
from service.transfer.columns import FILE
from service.transfer.incoming import Way, land
from service.transfer.outgoing import WINDOW_EVENTS, Choice, Stored
from tests.building import an_event, quick_settings
from tests.running import RunningService
from tests.storing import put

NEW = {"eventType": "new", "userId": "ada", "sessionId": "s1", "timestamp": "2026-01-02"}
MANY = 30_000
"""Events in three pieces of an import."""


def a_console() -> Console:
    return Console(file=io.StringIO(), width=200)


def flights(count: int) -> list[Event]:
    """The first events of the recording."""
    records = islice(recording("flights-2013").records(), count)
    return [msgspec.convert(record.fields, WireEvent) for record in records]


async def a_store(folder: Path, *batches: Sequence[Event | str]) -> Settings:
    """The settings of a data directory that holds these events, one batch a message."""
    settings = quick_settings(data_dir=folder)
    async with open_store(settings) as store:
        await put(store, *batches, tenant=DEFAULT_ENVIRONMENT)
    return settings


async def exported(settings: Settings, to: Path, choice: Choice | None = None) -> pa.Table:
    """What an export wrote, in the order of the ids."""
    assert await export(settings, to, choice or Choice(), a_console()) == 0
    return rows_of(to)


def rows_of(file: Path) -> pa.Table:
    return pq.read_table(file).sort_by([("environment", "ascending"), ("event_id", "ascending")])


def on_a_small_disk(settings: Settings, *command: str) -> subprocess.CompletedProcess[str]:
    """Run a command that can write no file larger than 50 KB."""
    return subprocess.run(
        ["sh", "-c", 'ulimit -f 100; exec "$0" "$@"', *command],
        env={**os.environ, "HEADRACE_DATA_DIR": str(settings.data_dir)},
        capture_output=True,
        text=True,
    )


def is_there(path: Path) -> bool:
    return path.exists()


def numbers_of(folder: Path) -> set[int]:
    """What tells the parts in a folder from parts written anew."""
    return {part.stat().st_ino for part in folder.glob("part-*")}


async def imported(settings: Settings, *files: Path, environment: str = "") -> str:
    """What an import said."""
    console = a_console()
    assert await import_files(settings, files, environment, console) == 0
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue().splitlines()[-1]


def an_exported_file(path: Path, **changed: Sequence[object]) -> Path:
    """A file of two events, as an export writes it, with other values in some columns."""
    noon = datetime(2026, 1, 2, 12, tzinfo=UTC)
    columns: dict[str, Sequence[object]] = {
        "environment": [DEFAULT_ENVIRONMENT] * 2,
        **{name: ["a", "b"] for name in ("event_id", "event_type", "user_id", "session_id")},
        "source": ["", "web"],
        "timestamp": [noon, noon],
        "received_at": [noon, noon],
        "priority": [1, 10],
        "metadata": ["{}", '{"source":"web"}'],
        "payload": ["{}", '{"price":1.5}'],
        "numbers": [[], [("price", 1.5)]],
    }
    nullable = pa.schema([field.with_nullable(True) for field in FILE])
    pq.write_table(pa.table({**columns, **changed}, schema=nullable), path)
    return path


async def test_a_round_trip_over_a_file_gives_the_same_events(tmp_path):
    events = flights(2500)
    source = await a_store(tmp_path / "a", events[:1000], events[1000:2000], events[2000:])
    target = quick_settings(data_dir=tmp_path / "b")
    before = await exported(source, tmp_path / "out.parquet")
    assert (await imported(target, tmp_path / "out.parquet")).split()[1:] == ["2,500", "2,500", "0"]
    after = await exported(target, tmp_path / "back.parquet")
    assert before.num_rows == 2500
    assert after.equals(before)


async def test_the_file_speaks_for_itself(tmp_path):
    source = await a_store(tmp_path / "a", [an_event("e1", payload={"price": 1.5})])
    await exported(source, tmp_path / "out.parquet")
    found = duckdb.sql(
        "SELECT event_id, epoch_ms(timestamp), priority, payload->>'price', numbers['price'] "
        f"FROM '{tmp_path}/out.parquet'"
    ).fetchall()
    moment = int(datetime(2026, 1, 2, 12, tzinfo=UTC).timestamp() * 1000)
    assert found == [("e1", moment, 1, "1.5", 1.5)]
    group = pq.read_metadata(tmp_path / "out.parquet").row_group(0)
    assert group.column(0).compression == "ZSTD"


def test_every_column_of_the_file_is_documented():
    page = (Path(__file__).parents[2] / "docs" / "moving.md").read_text("utf-8")
    assert [name for name in FILE.names if f"| `{name}` |" not in page] == []


async def test_an_export_can_be_of_a_span_of_time_or_of_one_environment(tmp_path):
    noon = int(datetime(2026, 1, 2, 12, tzinfo=UTC).timestamp() * 1000)
    source = await a_store(tmp_path / "a", [an_event(f"e{n}", after=n) for n in range(10)])
    of_time = Choice(start=noon + 2000, end=noon + 5000)
    found = await exported(source, tmp_path / "span.parquet", of_time)
    assert found["event_id"].to_pylist() == ["e2", "e3", "e4"]
    none = await exported(source, tmp_path / "none.parquet", Choice(environment="another"))
    assert none.num_rows == 0


async def test_an_import_adds_to_what_is_there_and_counts_each_once(tmp_path):
    source = await a_store(tmp_path / "a", [an_event(f"e{n}") for n in range(10)])
    target = await a_store(tmp_path / "b", [an_event(f"e{n}") for n in range(5, 15)])
    await exported(source, tmp_path / "out.parquet")
    assert (await imported(target, tmp_path / "out.parquet")).split()[1:] == ["10", "5", "5"]
    after = await exported(target, tmp_path / "after.parquet")
    assert after["event_id"].to_pylist() == sorted(f"e{n}" for n in range(15))


async def test_an_import_does_not_bring_back_who_was_erased_since(tmp_path):
    file = an_exported_file(tmp_path / "in.parquet")
    target = quick_settings(data_dir=tmp_path / "b")
    assert (await imported(target, file)).split()[1:] == ["2", "2", "0"]
    async with open_service(target) as service:
        await service.way.erasures.ask(DEFAULT_ENVIRONMENT, "a", SERVICE)
        await service.writer.drain()
    assert (await imported(target, file)).split()[1:] == ["2", "0", "2"]
    left = await exported(target, tmp_path / "back.parquet")
    assert left["user_id"].to_pylist() == ["b"]


@pytest.mark.parametrize("noted", [True, False], ids=["with its note", "without its note"])
async def test_an_import_that_is_run_twice_brings_nothing_twice(tmp_path, noted):
    source = await a_store(tmp_path / "a", flights(1500))
    target = quick_settings(data_dir=tmp_path / "b")
    await exported(source, tmp_path / "out.parquet")
    await imported(target, tmp_path / "out.parquet")
    if not noted:
        [note] = (target.data_dir / "imports").iterdir()
        note.unlink()
    assert (await imported(target, tmp_path / "out.parquet")).split()[1:] == ["1,500", "0", "1,500"]
    assert (await exported(target, tmp_path / "after.parquet")).num_rows == 1500


async def test_a_note_of_another_stream_is_not_believed(tmp_path):
    files = [tmp_path / "one.parquet", tmp_path / "two.parquet"]
    for file, events in zip(files, (flights(200)[:100], flights(200)[100:]), strict=True):
        await exported(await a_store(tmp_path / file.stem, events), file)
    target = quick_settings(data_dir=tmp_path / "b")
    await imported(target, files[0])
    (target.data_dir / "events.duckdb").unlink()
    (target.data_dir / "stream").rename(tmp_path / "lost")
    await imported(target, files[1])
    assert (await imported(target, files[0])).split()[1:] == ["100", "100", "0"]


async def test_a_note_of_events_that_are_no_more_is_not_believed(tmp_path):
    source = await a_store(tmp_path / "a", flights(3000))
    target = quick_settings(data_dir=tmp_path / "b", stream_keep_seconds=0)
    await exported(source, tmp_path / "out.parquet")
    await imported(target, tmp_path / "out.parquet")
    (target.data_dir / "events.duckdb").unlink()
    await imported(target, tmp_path / "out.parquet")
    assert (await exported(target, tmp_path / "after.parquet")).num_rows == 3000


async def test_a_file_goes_into_the_environment_that_is_named(tmp_path):
    file = an_exported_file(tmp_path / "in.parquet", environment=["elsewhere", "nowhere"])
    target = quick_settings(data_dir=tmp_path / "b")
    with pytest.raises(NotFound, match="there is no environment elsewhere"):
        await import_files(target, [file], "", a_console())
    await imported(target, file, environment=DEFAULT_ENVIRONMENT)
    after = await exported(target, tmp_path / "after.parquet")
    assert after["environment"].to_pylist() == [DEFAULT_ENVIRONMENT] * 2


WRONG_ROWS = {
    "event_id": (["a", "x" * 129], "`event_id` must have 1 to 128 characters"),
    "user_id": (["a", ""], "`user_id` must have 1 to 128 characters"),
    "event_type": (["a", "b\x00"], "`event_type` must hold no control characters"),
    "session_id": (["a", None], "`session_id` must be there"),
    "timestamp": (
        [datetime(2026, 1, 1, tzinfo=UTC), datetime(9000, 1, 1, tzinfo=UTC)],
        "`timestamp` must lie between",
    ),
    "priority": ([1, 11], "`priority` must be 1 to 10"),
    "payload": (["{}", "[1]"], "`payload` must be a JSON object"),
    "metadata": (["{}", '{"a":"' + "x" * 40_000 + '"}'], "`metadata` must be a JSON object"),
    "numbers": ([[], [("a", 1.0), ("a", 2.0)]], "`numbers` must have one finite"),
}


@pytest.mark.parametrize("column", WRONG_ROWS)
async def test_a_row_that_no_door_would_take_is_told_and_nothing_of_its_piece_comes_in(
    tmp_path, column
):
    values, told = WRONG_ROWS[column]
    file = an_exported_file(tmp_path / "in.parquet", **{column: values})
    target = quick_settings(data_dir=tmp_path / "b")
    with pytest.raises(InvalidInput, match=f"row 1: {told}"):
        await import_files(target, [file], "", a_console())
    assert (await exported(target, tmp_path / "after.parquet")).num_rows == 0


def rubbish(folder: Path, kind: str) -> Path:
    good = an_exported_file(folder / "good.parquet")
    bad = folder / "bad.parquet"
    if kind == "text":
        bad.write_text("event_id,user_id\n")
    elif kind == "cut off":
        bad.write_bytes(good.read_bytes()[:-100])
    elif kind == "other columns":
        table = pq.read_table(good).drop_columns(["user_id", "priority"])
        pq.write_table(table.append_column("colour", [["a", "b"]]), bad)
    elif kind == "other types":
        table = pq.read_table(good)
        pq.write_table(table.set_column(6, "timestamp", [["yesterday", "today"]]), bad)
    return bad


@pytest.mark.parametrize(
    ("kind", "told"),
    [
        ("none", "there is no file"),
        ("text", "is no Parquet file"),
        ("cut off", "is no Parquet file, or is cut off"),
        ("other columns", "user_id is missing; priority is missing; colour is unknown"),
        ("other types", "timestamp is string, not timestamp"),
    ],
)
async def test_rubbish_is_refused_before_anything_is_opened(tmp_path, kind, told):
    target = quick_settings(data_dir=tmp_path / "b")
    with pytest.raises(InvalidInput, match=told):
        await import_files(target, [rubbish(tmp_path, kind)], "", a_console())
    assert not target.data_dir.exists()


async def test_damage_in_the_middle_stops_the_import_and_what_came_before_stays(tmp_path):
    whole = an_exported_file(tmp_path / "in.parquet")
    content = bytearray(whole.read_bytes())
    place = content.index(b"\x28\xb5\x2f\xfd") if b"\x28\xb5\x2f\xfd" in content else 60
    content[place : place + 40] = bytes(40)
    whole.write_bytes(content)
    with pytest.raises(InvalidInput, match=r"is damaged|must be there|wrong"):
        await import_files(quick_settings(data_dir=tmp_path / "b"), [whole], "", a_console())


async def test_an_export_never_writes_over_a_file(tmp_path):
    source = await a_store(tmp_path / "a", ["e1"])
    (tmp_path / "out.parquet").write_text("precious")
    with pytest.raises(InvalidInput, match="is there already"):
        await export(source, tmp_path / "out.parquet", Choice(), a_console())
    with pytest.raises(InvalidInput, match="there is no folder"):
        await export(source, tmp_path / "no" / "out.parquet", Choice(), a_console())
    assert (tmp_path / "out.parquet").read_text() == "precious"


async def test_an_unfinished_export_of_other_events_is_not_mixed_in(tmp_path):
    source = await a_store(tmp_path / "a", ["e1"])
    folder = tmp_path / "out.parquet.unfinished"
    folder.mkdir()
    plan = {"choice": {"environment": "blue"}, "progress": {"epoch": 0}, "events": 7}
    (folder / "plan.json").write_bytes(msgspec.json.encode(plan))
    with pytest.raises(InvalidInput, match="holds another export"):
        await export(source, tmp_path / "out.parquet", Choice(), a_console())


async def test_windows_take_every_event_once_and_fit_into_memory(tmp_path):
    await fill(tmp_path, 120_300)
    async with open_store(quick_settings(data_dir=tmp_path)) as store:
        source = Stored(store)
        extent = await source.extent(Choice())
        sizes = [
            (await source.rows(Choice(), window.after, window.until)).num_rows
            for window in extent.windows
        ]
    assert sum(sizes) == extent.events == 120_300
    assert max(sizes) <= WINDOW_EVENTS
    assert [w.after for w in extent.windows[1:]] == [w.until for w in extent.windows[:-1]]


# What dies on the way. Each is a process of its own that exits at a named point, or is killed.


async def test_an_export_that_died_goes_on_after_its_last_part(tmp_path):
    await fill(tmp_path / "a", 300_000)
    there = RunningService(tmp_path / "a")
    file = tmp_path / "out.parquet"
    command = ("export", "--to", str(file))
    kept: list[set[int]] = []
    for point in ("export.after_part", "export.after_part", "export.before_rename"):
        assert there.headrace(*command, HEADRACE_CRASH_AT=point).returncode == 86
        assert not is_there(file)
        kept.append(numbers_of(tmp_path / "out.parquet.unfinished"))
    done = there.headrace(*command)
    assert kept[0] < kept[1] == kept[2], "a part that was whole was written again"
    assert "going on with the export" in done.stdout, done.stderr
    whole = await exported(quick_settings(data_dir=tmp_path / "a"), tmp_path / "whole.parquet")
    assert rows_of(file).equals(whole)
    assert not is_there(tmp_path / "out.parquet.unfinished")


async def test_an_import_that_died_goes_on_and_brings_nothing_twice(tmp_path):
    await fill(tmp_path / "a", MANY)
    whole = await exported(quick_settings(data_dir=tmp_path / "a"), tmp_path / "out.parquet")
    there = RunningService(tmp_path / "b")
    command = ("import", str(tmp_path / "out.parquet"), "--environment", DEFAULT_ENVIRONMENT)
    for point in ("writer.before_commit", "import.after_piece", "import.after_piece"):
        assert there.headrace(*command, HEADRACE_CRASH_AT=point).returncode == 86
    done = there.headrace(*command)
    assert "going on after row 20,000" in done.stdout, done.stdout + done.stderr
    assert done.stdout.split()[-3:] == ["30,000", "30,000", "0"]
    after = await exported(quick_settings(data_dir=tmp_path / "b"), tmp_path / "after.parquet")
    assert after["event_id"].equals(whole.sort_by("event_id")["event_id"])


async def test_an_import_killed_while_pieces_are_under_way_goes_on(tmp_path):
    await fill(tmp_path / "a", MANY)
    await exported(quick_settings(data_dir=tmp_path / "a"), tmp_path / "out.parquet")
    there = RunningService(tmp_path / "b")
    command = ("import", str(tmp_path / "out.parquet"), "--environment", DEFAULT_ENVIRONMENT)
    killed = there.begin(*command)
    while not list((tmp_path / "b").glob("imports/*.json")):
        assert killed.poll() is None, there.last_words()
        await asyncio.sleep(0.01)
    killed.kill()
    killed.wait()
    assert there.headrace(*command).stdout.split()[-3] == "30,000"
    after = await exported(quick_settings(data_dir=tmp_path / "b"), tmp_path / "after.parquet")
    assert after.num_rows == len(after["event_id"].unique()) == MANY


async def test_a_full_disk_leaves_nothing_under_the_name_and_the_export_goes_on_later(tmp_path):
    source = await a_store(tmp_path / "a", flights(20_000))
    there = RunningService(source.data_dir)
    file = tmp_path / "out.parquet"
    failed = on_a_small_disk(source, there.command[0], "export", "--to", str(file))
    assert (failed.returncode, "File too large" in failed.stderr) == (1, True), failed.stderr
    assert not is_there(file)
    assert there.headrace("export", "--to", str(file)).returncode == 0
    assert rows_of(file).equals(await exported(source, tmp_path / "whole.parquet"))


async def test_beside_a_running_service_the_same_commands_go_over_its_routes(tmp_path, new_service):
    source = await a_store(tmp_path / "a", flights(2000))
    before = await exported(source, tmp_path / "out.parquet")
    service = new_service().start()
    done = service.headrace("import", str(tmp_path / "out.parquet"))
    assert done.stdout.split()[-3:] == ["2,000", "2,000", "0"], done.stderr
    assert service.headrace("export", "--to", str(tmp_path / "back.parquet")).returncode == 0
    assert rows_of(tmp_path / "back.parquet").equals(before)


async def test_an_import_outlives_the_service_that_takes_it(tmp_path, new_service):
    await fill(tmp_path / "a", MANY)
    await exported(quick_settings(data_dir=tmp_path / "a"), tmp_path / "out.parquet")
    service = new_service().start(HEADRACE_CRASH_AT="writer.after_commit")
    command = ("import", str(tmp_path / "out.parquet"), "--environment", DEFAULT_ENVIRONMENT)
    with service.begin(*command) as importing:
        assert service.ended(60) == 86
        service.start()
        assert importing.wait(60) == 0, service.last_words()
    year = {"start": "2020-01-01T00:00:00Z", "end": "2099-01-01T00:00:00Z"}
    counted = service.get("/api/v1/analytics/metrics", **year).json()
    assert counted["data"]["totalEvents"] == MANY


class AStreamThatKeeps:
    """A stream that acknowledges and holds so many bytes; nobody stores what it keeps."""

    def __init__(self, held: int) -> None:
        self._held = held

    async def publish(self, *_: object) -> Receipt:
        return Receipt(1, duplicate=False)

    async def state(self) -> StreamState:
        return StreamState("stream", 1, 1, self._held)


@asynccontextmanager
async def a_way(folder: Path, held: int) -> AsyncIterator[Way]:
    """A way in where all counts as stored and nothing is; the stream may hold 100 bytes."""
    settings = quick_settings(data_dir=folder)
    async with open_service(settings) as service:
        done = Mark(Progress(sequence=10))
        stream = AStreamThatKeeps(held)
        yield Way(
            service.environments, service.way.erasures, stream, service.store, done, 100, 32_000
        )


async def test_an_event_that_is_not_in_the_store_after_all_is_told(tmp_path):
    rows = pq.read_table(an_exported_file(tmp_path / "in.parquet"))
    async with a_way(tmp_path / "b", held=0) as way:
        with pytest.raises(TransferFailed, match="2 events of the piece at row 0 are not in"):
            await land(way, rows, 0, again=False)


async def test_an_import_leaves_half_of_the_stream_to_others(tmp_path):
    rows = pq.read_table(an_exported_file(tmp_path / "in.parquet"))
    async with a_way(tmp_path / "b", held=51) as way:
        with pytest.raises(IngestionUnavailable, match="the stream is half full"):
            await land(way, rows, 0, again=False)


@pytest.mark.parametrize("path", ["/-/export", "/-/export/rows?until=9", "/-/export/sums?until=9"])
def test_nobody_but_the_operator_may_take_events_out(running_service, path):
    assert running_service.get(path).status_code == 401


def test_nobody_but_the_operator_may_bring_events_in(running_service):
    assert running_service.post("/-/import", {}).status_code == 401


# From the file to ClickHouse. The engine is in the processes that are started here.


def on_clickhouse(folder: Path, data_dir: Path) -> RunningService:
    return RunningService(data_dir, CLICKHOUSE_URL=f"chdb://{folder}/clickhouse")


async def test_a_move_that_died_goes_on_and_gives_the_same_events_in_the_same_places(tmp_path):
    source = await a_store(
        tmp_path / "a", *[flights(3000)[n : n + 500] for n in range(0, 3000, 500)]
    )
    whole = await exported(source, tmp_path / "whole.parquet")
    there = on_clickhouse(tmp_path, source.data_dir)
    command = ("move", "--from", "duckdb", "--to", "clickhouse")
    for point in ("ledger.after_begin", "ledger.before_done", "move.after_window"):
        assert there.headrace(*command, HEADRACE_CRASH_AT=point).returncode == 86
    done = there.headrace(*command)
    assert done.stdout.split()[-1] == "3,000", done.stdout + done.stderr
    assert there.headrace("verify").returncode == 0
    assert there.headrace("export", "--to", str(tmp_path / "after.parquet")).returncode == 0
    assert rows_of(tmp_path / "after.parquet").equals(whole)


def test_no_writer_goes_on_in_the_middle_of_a_move(tmp_path, new_service):
    laptop = new_service(HEADRACE_STREAM_KEEP_SECONDS=0).start()
    large = {**NEW, "payload": {"text": "x" * 30_000}}
    for _ in range(7):  # two windows, and all but the last message gone from the stream
        laptop.post("/api/v1/events/batch?ack=stored", {"events": [large] * 100})
    laptop.stop()
    command = ("move", "--from", "duckdb", "--to", "clickhouse")
    there = {"CLICKHOUSE_URL": f"chdb://{tmp_path}/clickhouse"}
    laptop.headrace(*command, **there, HEADRACE_CRASH_AT="move.after_window")
    laptop.start(**there).post("/api/v1/events?ack=stored", NEW)
    assert laptop.stop() == 0
    assert [entry["epoch"] for entry in laptop.logged("writer.new_epoch")] == [2]
    assert "did not come from here" in laptop.headrace(*command, **there).stderr


async def test_a_move_run_again_brings_only_what_came_meanwhile(tmp_path):
    source = await a_store(tmp_path / "a", ["e1", "e2"])
    there = on_clickhouse(tmp_path, source.data_dir)

    def moved():
        done = there.headrace("move", "--from", "duckdb", "--to", "clickhouse")
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout.split()[-3:]

    assert moved() == ["2", "0", "2"]
    await a_store(tmp_path / "a", ["e3"])
    assert moved() == ["1", "2", "3"]
    assert moved() == ["0", "3", "3"]


async def test_a_move_never_goes_into_a_store_that_has_a_life_of_its_own(tmp_path):
    other = await a_store(tmp_path / "b", ["x1", "x2", "x3"])
    assert (
        on_clickhouse(tmp_path, other.data_dir)
        .headrace("move", "--from", "duckdb", "--to", "clickhouse")
        .returncode
        == 0
    )
    source = await a_store(tmp_path / "a", ["e1"])
    refused = on_clickhouse(tmp_path, source.data_dir).headrace(
        "move", "--from", "duckdb", "--to", "clickhouse"
    )
    assert refused.returncode == 1
    assert "the target holds events that did not come from here" in refused.stderr


async def test_a_file_goes_into_clickhouse_and_comes_out_the_same(tmp_path):
    source = await a_store(tmp_path / "a", flights(2000))
    before = await exported(source, tmp_path / "out.parquet")
    there = on_clickhouse(tmp_path, tmp_path / "b")
    done = there.headrace("import", str(tmp_path / "out.parquet"))
    assert done.stdout.split()[-3:] == ["2,000", "2,000", "0"], done.stderr
    again = there.headrace("import", str(tmp_path / "out.parquet"))
    assert again.stdout.split()[-3:] == ["2,000", "0", "2,000"], again.stderr
    assert there.headrace("export", "--to", str(tmp_path / "back.parquet")).returncode == 0
    assert rows_of(tmp_path / "back.parquet").equals(before)


async def test_a_move_needs_two_engines_and_to_know_where_clickhouse_is(tmp_path):
    settings = quick_settings(data_dir=tmp_path)
    with pytest.raises(InvalidInput, match="it is in duckdb already"):
        await move(settings, "duckdb", "duckdb", a_console())
    with pytest.raises(InvalidInput, match="set CLICKHOUSE_URL"):
        await move(settings, "duckdb", "clickhouse", a_console())
