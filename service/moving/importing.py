"""`headrace import`: Parquet files into a service, piece by piece, each counted once.

A note in the data directory says how far each file has come, so that an import that was killed goes
on there. The note saves time and nothing else: what is sent again is recognised.
"""

import asyncio
import hashlib
from collections import deque
from collections.abc import AsyncGenerator, Iterator, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from pathlib import Path

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq
from rich.console import Console
from rich.table import Table

from service import crash
from service.errors import HeadraceError, InvalidInput, NotRunning, Retryable
from service.moving.parties import Party, opened_party
from service.replay.progress import progress
from service.settings import Settings
from service.telemetry import log
from service.transfer.columns import as_read, check_columns
from service.transfer.incoming import Landed
from service.transfer.outgoing import Choice

PIECE_EVENTS = 10_000
PIECE_BYTES = 16 * 1024 * 1024
_UNDER_WAY = 4
"""Pieces sent and not answered for."""
_PATIENCE = 120.0
"""Seconds in which one piece is tried again before the import gives up."""
_PAUSE = 1.0


class Note(msgspec.Struct, frozen=True):
    """How far a file has come in a store."""

    store: str
    """By what the store knows its stream."""
    next_row: int = 0
    imported: int = 0
    known: int = 0
    oldest: Landed | None = None
    newest: Landed | None = None
    """Two of the pieces: if they are not in the store any more, it is not the same store."""

    def after(self, rows: int, landed: Landed, store: str) -> "Note":
        """The note when another piece has landed."""
        return Note(
            store,
            self.next_row + rows,
            self.imported + landed.imported,
            self.known + landed.known,
            self.oldest or landed,
            landed,
        )


@dataclass(frozen=True, slots=True)
class Opened:
    """A file that can be imported: it is Parquet, and its columns are right."""

    path: Path
    file: pq.ParquetFile
    name: str
    """The digest of what it says of itself: the same file has the same name anywhere."""

    @property
    def events(self) -> int:
        rows: int = self.file.metadata.num_rows
        return rows


async def import_files(
    settings: Settings, paths: Sequence[Path], environment: str, console: Console
) -> int:
    """Bring the files' events into the service, and print what became of them; the exit code.

    An `environment` takes all of them; without one each event goes to that named in its row.

    Raises InvalidInput when a file is none that `headrace export` could have written, before
    anything is sent where its columns are wrong, and at the first row that no door would take.
    """
    crash.arm(settings.crash_at)
    files = [_opened(path) for path in paths]
    notes = settings.data_dir / "imports"
    async with opened_party(settings) as party:
        ended = [await _import(party, file, environment, notes, console) for file in files]
    console.print(_report(files, ended))
    return 0


def _opened(path: Path) -> Opened:
    if not path.is_file():
        raise InvalidInput(f"there is no file {path}")
    try:
        file = pq.ParquetFile(path)
    except (pa.ArrowException, OSError) as error:
        raise InvalidInput(f"{path} is no Parquet file, or is cut off: {error}") from None
    try:
        check_columns(file.schema_arrow)
    except InvalidInput as error:
        raise InvalidInput(f"{path}: {error}") from None
    return Opened(path, file, _name(path))


def _name(path: Path) -> str:
    """A digest of the size and the last megabyte, where Parquet keeps the sums of all columns."""
    with path.open("rb") as file:
        size = file.seek(0, 2)
        file.seek(max(0, size - 1024 * 1024))
        return hashlib.blake2b(file.read(), digest_size=12, key=str(size).encode()).hexdigest()


async def _import(
    party: Party, file: Opened, environment: str, notes: Path, console: Console
) -> Note:
    path = notes / f"{file.name}{f'-{environment}' if environment else ''}.json"
    note = await _noted(party, path)
    again = note is not None and note.next_row < file.events
    if note is None:
        note = Note(await _identity(party))
        _keep(path, note)
    elif again:
        console.print(f"{file.path.name}: going on after row {note.next_row:,}", highlight=False)
    if not again and note.next_row:
        note = Note(note.store, known=note.imported + note.known, next_row=note.next_row)
    with progress(console, file.path.name, file.events) as shown:
        shown.advance(note.next_row)
        landing = _landed(party, file, environment, note.next_row, again=again)
        async with aclosing(landing):
            async for rows, landed in landing:
                note = note.after(rows, landed, note.store or await _identity(party))
                _keep(path, note)
                shown.advance(rows)
                crash.point("import.after_piece")
    return note


def _read(path: Path) -> Note | None:
    try:
        return msgspec.json.decode(path.read_bytes(), type=Note)
    except (FileNotFoundError, msgspec.DecodeError):
        return None


async def _noted(party: Party, path: Path) -> Note | None:
    """The note of an earlier import, if it speaks of this very store."""
    if (note := _read(path)) is None:
        return None
    samples = [piece for piece in (note.oldest, note.newest) if piece]
    for piece in samples:
        there = await party.sums(piece.first - 1, piece.last)
        if there["events"] < piece.imported:
            return None
    return note if note.store == await _identity(party) else None


async def _identity(party: Party) -> str:
    return (await party.extent(Choice(), 0, 0)).progress.stream_created


async def _landed(
    party: Party, file: Opened, environment: str, first: int, again: bool
) -> AsyncGenerator[tuple[int, Landed], None]:
    """Send the pieces from a row on, a few at once; what became of each, in their order."""
    under_way: deque[tuple[int, asyncio.Task[Landed]]] = deque()
    try:
        pieces = _pieces(file, environment, first)
        while (piece := await asyncio.to_thread(next, pieces, None)) is not None:
            landing = asyncio.create_task(_land(party, piece, first, again=again))
            under_way.append((piece.num_rows, landing))
            first += piece.num_rows
            if len(under_way) == _UNDER_WAY:
                rows, landing = under_way.popleft()
                yield rows, await landing
        while under_way:
            rows, landing = under_way.popleft()
            yield rows, await landing
    finally:
        for _, landing in under_way:
            landing.cancel()
        await asyncio.gather(*(landing for _, landing in under_way), return_exceptions=True)


async def _land(party: Party, rows: pa.Table, first: int, again: bool) -> Landed:
    """Send a piece until it has landed; what an earlier try may have left counts as imported."""
    loop = asyncio.get_running_loop()
    deadline = loop.time() + _PATIENCE
    while True:
        try:
            return await party.land(rows, first, again)
        except (Retryable, NotRunning, OSError) as error:
            if loop.time() > deadline:
                raise HeadraceError(
                    f"gave up at row {first:,}: {error}. Import it again: it goes on there, "
                    "and what is stored is not counted twice"
                ) from error
            log().warning("import.trying_again", row=first, reason=str(error))
            again = True
            await asyncio.sleep(_PAUSE)


def _pieces(file: Opened, environment: str, first: int) -> Iterator[pa.Table]:
    """The rows of a file from one on, in pieces that fit into memory."""
    groups, skip = _groups_from(file, first)
    try:
        for group in groups:
            for batch in file.file.iter_batches(_batch_size(file, group), row_groups=[group]):
                rows = as_read(pa.Table.from_batches([batch.slice(skip)]))
                skip = max(0, skip - batch.num_rows)
                yield from _fitting(_into(rows, environment))
    except (pa.ArrowException, OSError) as error:
        raise InvalidInput(f"{file.path} is damaged: {error}") from None


def _batch_size(file: Opened, group: int) -> int:
    """How many rows of a row group are read at once: large rows a few at a time."""
    about = file.file.metadata.row_group(group)
    fitting = int(PIECE_BYTES * about.num_rows // max(1, about.total_byte_size))
    return max(1, min(PIECE_EVENTS, fitting))


def _groups_from(file: Opened, first: int) -> tuple[list[int], int]:
    """The row groups from a row on, and how many rows of the first of them to leave out."""
    metadata = file.file.metadata
    for group in range(metadata.num_row_groups):
        if first < metadata.row_group(group).num_rows:
            return list(range(group, metadata.num_row_groups)), first
        first -= metadata.row_group(group).num_rows
    return [], 0


def _into(rows: pa.Table, environment: str) -> pa.Table:
    if not environment:
        return rows
    column = pa.array([environment], pa.string()).take(pa.array([0] * rows.num_rows, pa.int32()))
    return rows.set_column(rows.schema.get_field_index("environment"), "environment", column)


def _fitting(rows: pa.Table) -> Iterator[pa.Table]:
    if rows.num_rows > 1 and rows.nbytes > PIECE_BYTES:
        half = rows.num_rows // 2
        yield from _fitting(rows.slice(0, half))
        yield from _fitting(rows.slice(half))
    elif rows.num_rows:
        yield rows


def _keep(path: Path, note: Note) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    new = path.with_suffix(".new")
    new.write_bytes(msgspec.json.encode(note))
    new.replace(path)


def _report(files: Sequence[Opened], notes: Sequence[Note]) -> Table:
    table = Table("file", box=None, pad_edge=False)
    for heading in ("events", "imported", "already there"):
        table.add_column(heading, justify="right")
    for file, note in zip(files, notes, strict=True):
        counts = (file.events, note.imported, note.known)
        table.add_row(file.path.name, *(f"{count:,}" for count in counts))
    return table
