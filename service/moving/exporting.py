"""`headrace export`: stored events into one Parquet file.

The events up to a position that does not move are written as parts beside the file, each whole or
not at all; the parts become the file at the end, under its name in one step. An export that was
killed goes on after its last part.
"""

import asyncio
import os
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path

import msgspec
import pyarrow.parquet as pq
from rich.console import Console
from rich.table import Table

from service import crash
from service.errors import InvalidInput, TransferFailed
from service.moving.parties import opened_source
from service.replay.progress import Shown, progress
from service.settings import Settings
from service.storage.protocol import Progress
from service.transfer.columns import FILE, as_file
from service.transfer.outgoing import Choice, Source, Window

PART_EVENTS = 250_000
"""About how many events a part has: what a killed export does again at most."""


class Plan(msgspec.Struct, frozen=True):
    """What an export is about; it stays the same however often it is begun."""

    choice: Choice
    progress: Progress
    """How far the store had read the stream at the first beginning."""
    events: int


class Unfinished:
    """The folder beside the file that holds what is written so far."""

    def __init__(self, to: Path) -> None:
        self._to = to
        self._folder = to.with_name(f"{to.name}.unfinished")

    def plan(self) -> Plan | None:
        """The plan of an export that was begun before."""
        try:
            return msgspec.json.decode((self._folder / "plan.json").read_bytes(), type=Plan)
        except (FileNotFoundError, msgspec.DecodeError):
            return None

    def begin(self, plan: Plan) -> None:
        """Note the plan of a new export."""
        self._folder.mkdir(exist_ok=True)
        _replace(self._folder / "plan.json", msgspec.json.encode(plan))

    def parts(self) -> Sequence[Path]:
        """The parts that are whole, in order; each is named for the position it reaches."""
        return sorted(self._folder.glob("part-*.parquet"))

    def reached(self) -> int:
        """Up to which position the parts reach."""
        parts = self.parts()
        return int(parts[-1].stem.rpartition("-")[2]) if parts else 0

    def writing(self) -> Path:
        """Where the next part is written before it has its name."""
        return self._folder / "writing.parquet"

    def keep(self, until: int) -> None:
        """Give the part its name."""
        _sync(self.writing())
        self.writing().rename(self._folder / f"part-{until:020}.parquet")

    def finish(self) -> None:
        """Make one file of the parts and give it its name; forget everything else."""
        parts = self.parts()
        if len(parts) != 1:
            _join(parts, self.writing())
        whole = parts[0] if len(parts) == 1 else self.writing()
        _sync(whole)
        crash.point("export.before_rename")
        whole.rename(self._to)
        shutil.rmtree(self._folder)


async def export(settings: Settings, to: Path, choice: Choice, console: Console) -> int:
    """Write the chosen events into the file; the exit code.

    Raises InvalidInput when the file is there already or cannot be, and OSError when it cannot be
    written: nothing stands under its name then, and the same command goes on where this one ended.
    """
    crash.arm(settings.crash_at)
    _check_place(to)
    unfinished = Unfinished(to)
    async with opened_source(settings) as source:
        plan = await _planned(source, unfinished, choice, console)
        await _write_parts(source, unfinished, plan, console)
    _check_whole(unfinished.parts(), plan)
    await asyncio.to_thread(unfinished.finish)
    console.print(_report(to, plan))
    return 0


def _check_place(to: Path) -> None:
    if to.exists():
        raise InvalidInput(f"{to} is there already; name another file, or remove it")
    if not to.parent.is_dir():
        raise InvalidInput(f"there is no folder {to.parent}")


async def _planned(
    source: Source, unfinished: Unfinished, choice: Choice, console: Console
) -> Plan:
    extent = await source.extent(choice)
    plan = Plan(choice, extent.progress, extent.events)
    begun = unfinished.plan()
    if begun is None:
        unfinished.begin(plan)
        return plan
    same = begun.progress.stream_created == plan.progress.stream_created
    if begun.choice != choice or not same or begun.progress.position > plan.progress.position:
        raise InvalidInput(
            f"{unfinished.writing().parent} holds another export that was not finished; "
            "remove it, or name another file"
        )
    console.print("going on with the export that was not finished")
    return begun


async def _write_parts(
    source: Source, unfinished: Unfinished, plan: Plan, console: Console
) -> None:
    after, until = unfinished.reached(), plan.progress.position
    windows = (await source.extent(plan.choice, after, until)).windows
    with progress(console, "export", plan.events) as shown:
        shown.advance(plan.events - sum(window.events for window in windows))
        for part in _parts(windows):
            await _write_part(source, unfinished, plan.choice, part, shown)
            unfinished.keep(part[-1].until)
            crash.point("export.after_part")


def _parts(windows: Sequence[Window]) -> Iterator[Sequence[Window]]:
    part: list[Window] = []
    for window in windows:
        part.append(window)
        if sum(w.events for w in part) >= PART_EVENTS:
            yield part
            part = []
    if part:
        yield part


async def _write_part(
    source: Source, unfinished: Unfinished, choice: Choice, part: Sequence[Window], shown: Shown
) -> None:
    with _writer(unfinished.writing()) as writer:
        for window in part:
            rows = as_file(await source.rows(choice, window.after, window.until))
            await asyncio.to_thread(writer.write_table, rows)
            shown.advance(rows.num_rows)


def _writer(path: Path) -> pq.ParquetWriter:
    return pq.ParquetWriter(path, FILE, compression="zstd", coerce_timestamps="ms")


def _join(parts: Sequence[Path], whole: Path) -> None:
    """All parts in one file, a row group at a time."""
    with _writer(whole) as writer:
        for part in parts:
            file = pq.ParquetFile(part)
            for group in range(file.num_row_groups):
                writer.write_table(file.read_row_group(group).cast(FILE))


def _check_whole(parts: Sequence[Path], plan: Plan) -> None:
    written = sum(pq.read_metadata(part).num_rows for part in parts)
    if written != plan.events:
        raise TransferFailed(f"{written:,} events were written, there should be {plan.events:,}")


def _report(to: Path, plan: Plan) -> Table:
    table = Table("file", box=None, pad_edge=False)
    for heading in ("exported", "bytes"):
        table.add_column(heading, justify="right")
    table.add_row(str(to), f"{plan.events:,}", f"{to.stat().st_size:,}")
    return table


def _replace(path: Path, content: bytes) -> None:
    new = path.with_suffix(".new")
    new.write_bytes(content)
    new.rename(path)


def _sync(path: Path) -> None:
    """Have the file on the disk before it gets its name; a full disk is told here at the latest."""
    with path.open("rb") as file:
        os.fsync(file.fileno())
