"""What became of each row, on disk: a row is settled when its line here is.

    JOURNAL   one line each: CRC-32, a space, JSON. First what is delivered where, then the rows.
    lock      held by the one process that delivers

Lines are only appended, and on disk (fsync) before the next request is sent in their place: so a
process that dies leaves at most as many rows in doubt as it had requests under way. A line that was
not written whole is cut off; everything before it stands.
"""

import asyncio
import fcntl
import os
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Self

import msgspec

from service import crash
from service.delivery.outcomes import OUTCOMES, Outcome
from service.errors import Conflict, HeadraceError, InvalidInput
from service.formats.csv_rows import Cursor

UNSETTLED = 0
"""The state of a row that is to be sent; the other ones are 1 + the outcome's place."""
_LAST = frozenset({"created", "duplicate", "rejected"})

_encode = msgspec.json.Encoder().encode


class Delivered(msgspec.Struct, frozen=True):
    """What a journal is about."""

    digest: str
    """Of the file's content."""
    size: int
    target: str
    shape: str
    """Digest of what rows are made into; rows refused under another one are tried again."""


class Entry(msgspec.Struct, frozen=True, array_like=True):
    """What became of a row."""

    row: int
    line: int
    after: tuple[int, int]
    """Where the file goes on behind it: bytes, lines."""
    outcome: Outcome
    status: int
    keys: Sequence[str]
    reason: str

    @property
    def cursor(self) -> Cursor:
        return Cursor(self.after[0], self.row, self.after[1])


class Standing(msgspec.Struct, frozen=True):
    """Where a delivery stands: a byte for each row up to the last that was settled."""

    states: bytearray
    cursor: Cursor | None
    """Behind it is the first row that is to be sent; None for the file's beginning."""

    def is_settled(self, number: int) -> bool:
        """Whether the row needs not be sent any more."""
        return number < len(self.states) and self.states[number] != UNSETTLED


class Journal:
    """The journal of one delivery in a folder of its own; made where there is none.

    Raises Conflict while another process delivers, InvalidInput when the journal is of other
    content or of another target.
    """

    def __init__(self, folder: Path, about: Delivered) -> None:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        self.path = folder / "journal"
        self._lock = hold(folder)
        try:
            begins = _begins(self.path)
            self._refuse_other(begins, about)
            self._shape_changed = bool(begins) and begins[-1].shape != about.shape
            self._file = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        except BaseException:
            os.close(self._lock)
            raise
        self._waiting: list[bytes] = []
        self._added = self._written = 0
        self._broken: OSError | None = None
        self._turn = asyncio.Lock()
        if not begins or self._shape_changed:
            self._write([_line(about)])
            _sync_folder(folder)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self._file)
        os.close(self._lock)

    def standing(self) -> Standing:
        """Which rows are settled. Failed ones are not; nor are refused ones, if what rows are
        made into has changed since."""
        last = _LAST - {"rejected"} if self._shape_changed else _LAST
        states = bytearray(1)
        for entry in entries(self.path):
            if entry.row >= len(states):
                states.extend(bytes(entry.row + 1 - len(states)))
            settled = entry.outcome in last
            states[entry.row] = 1 + OUTCOMES.index(entry.outcome) if settled else UNSETTLED
        first = states.find(UNSETTLED, 1)
        before = (first if first > 0 else len(states)) - 1
        found = (entry.cursor for entry in entries(self.path) if entry.row == before)
        return Standing(states, next(found, None) if before else None)

    async def keep(self, kept: Sequence[Entry]) -> None:
        """Return when the entries are on the disk; those that wait together share one fsync."""
        crash.point("delivery.before_journal")
        self._waiting += map(_line, kept)
        self._added += 1
        mine = self._added
        async with self._turn:
            if self._broken is not None:
                raise HeadraceError(f"the journal cannot be written: {self._broken}")
            if self._written < mine:
                lines, self._waiting = self._waiting, []
                self._written = self._added
                await asyncio.to_thread(self._write, lines)
        crash.point("delivery.after_journal")

    def _write(self, lines: Sequence[bytes]) -> None:
        try:
            _write_whole(self._file, b"".join(lines))
            os.fsync(self._file)
        except OSError as error:
            self._broken = error
            raise

    def _refuse_other(self, begins: Sequence[Delivered], about: Delivered) -> None:
        if not begins:
            return
        was = begins[-1]
        if was.digest != about.digest:
            raise InvalidInput(
                "the file has changed since its delivery began: rows would be sent twice. Put the "
                "rows that are new into a file of their own, or begin anew (--anew)"
            )
        if was.target != about.target:
            raise InvalidInput(f"the delivery of this file was to {was.target}, not {about.target}")


def entries(path: Path) -> Iterator[Entry]:
    """What the journal holds of rows, oldest first. Raises HeadraceError when it is damaged."""
    decode = msgspec.json.Decoder(Entry).decode
    for text in _texts(path):
        if text.startswith(b"["):
            yield decode(text)


def _begins(path: Path) -> Sequence[Delivered]:
    """What the journal is about, as it was told each time that this changed; the file is cut off
    behind its last whole line."""
    if not path.exists():
        return []
    whole, begins = 0, []
    for text in _texts(path):
        whole += len(text) + 10
        if text.startswith(b"{"):
            begins.append(msgspec.json.decode(text, type=Delivered))
    if whole < path.stat().st_size:
        os.truncate(path, whole)
    return begins


def _texts(path: Path) -> Iterator[bytes]:
    """The whole lines, without their sums."""
    with path.open("rb") as file:
        for number, line in enumerate(file, 1):
            if not line.endswith(b"\n"):
                return
            text = line[9:-1]
            if line[:9] != b"%08x " % zlib.crc32(text):
                if file.read(1):
                    raise HeadraceError(f"{path}, line {number}: damaged")
                return
            yield text


def _line(kept: Entry | Delivered) -> bytes:
    text = _encode(kept)
    return b"%08x %b\n" % (zlib.crc32(text), text)


def _write_whole(file: int, content: bytes) -> None:
    while content:
        content = content[os.write(file, content) :]


def _sync_folder(folder: Path) -> None:
    directory = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)


def hold(folder: Path) -> int:
    """The lock of the folder; it ends with the process, however that ends, or with its file's
    being closed. Raises Conflict while another one holds it."""
    lock = os.open(folder / "lock", os.O_WRONLY | os.O_CREAT, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(lock)
        raise Conflict(f"{folder} is in use: another process delivers this file") from None
    return lock


def is_held(folder: Path) -> bool:
    """Whether some process holds this folder now."""
    try:
        os.close(hold(folder))
    except Conflict:
        return True
    except FileNotFoundError:
        return False
    return False
