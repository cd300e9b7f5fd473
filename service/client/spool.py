"""Events on disk until the service has taken them: they outlive the process that was sending them.

    FOLDER/lock                     held by the one process that uses the folder
    FOLDER/0000000000000007.events  one parcel; a line an event: CRC-32, a space, the JSON

A file is only ever appended to, and deleted when all of it was taken. What a process left behind is
sent first by the next one, under the same ids, so that what was taken already counts once. A line
that was not written whole, as the last one of a process that was killed, is left out.
"""

import errno
import fcntl
import logging
import os
import re
import zlib
from collections import deque
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

from service.client.buffer import Parcel
from service.errors import SpoolBusy

Fsync = Literal["always", "batch", "never"]
"""What a power cut may take: nothing, the parcel that is open, what the system had not written."""

_NAME = re.compile(r"[0-9]{16}\.events")
_log = logging.getLogger("headrace")


class Spool:
    """A buffer on disk. Raises SpoolBusy while another process, or this one, uses the folder."""

    def __init__(self, folder: Path, fsync: Fsync = "batch") -> None:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._folder = folder
        self._fsync = fsync
        self._lock = _held(folder)
        self._directory = os.open(folder, os.O_RDONLY)
        left = sorted(path for path in folder.iterdir() if _NAME.fullmatch(path.name))
        parcels = [Parcel(int(path.stem), path.stat().st_size) for path in left]
        self._sealed = deque(parcels)
        self._parcels = {parcel.number: parcel for parcel in parcels}
        self._file: int | None = None
        self._written: list[int] = []
        self._unsynced = False
        self._created = False
        self.held = sum(parcel.bytes for parcel in parcels)
        self.newest = parcels[-1].number if parcels else 0
        self.open_events = 0
        self.open_bytes = 0

    def add(self, event: bytes) -> None:
        if self._file is None:
            self._file = self._create(self.newest + 1)
        line = b"%08x %b\n" % (zlib.crc32(event), event)
        self._append(self._file, line)
        self._unsynced = True
        self.open_events += 1
        self.open_bytes += len(line)
        self.held += len(line)

    def seal(self) -> None:
        if self._file is None:
            return
        if self.open_events:
            self.newest += 1
            self._parcels[self.newest] = parcel = Parcel(self.newest, self.open_bytes)
            self._sealed.append(parcel)
        self._written.append(self._file)
        self._file, self.open_events, self.open_bytes = None, 0, 0
        if self._fsync == "never":
            self._close_written()

    def take(self) -> Parcel | None:
        return self._sealed.popleft() if self._sealed else None

    def read(self, parcel: Parcel) -> list[bytes]:
        text = self._path(parcel.number).read_bytes()
        events = list(_whole_lines(text))
        if damaged := text.count(b"\n") - len(events):
            _log.warning("headrace.spool.damaged parcel=%d lines=%d", parcel.number, damaged)
        return events

    def remove(self, parcel: Parcel) -> None:
        self._path(parcel.number).unlink(missing_ok=True)
        del self._parcels[parcel.number]
        self.held -= parcel.bytes

    def oldest(self) -> int | None:
        if self._parcels:
            return next(iter(self._parcels))
        return self.newest + 1 if self.open_events else None

    def is_dirty(self) -> bool:
        if self._fsync == "always":
            return self._unsynced
        return self._fsync == "batch" and bool(self._written)

    def sync(self) -> None:
        self._unsynced = False
        if self._fsync == "always" and (file := self._file) is not None:
            os.fsync(file)
        while self._written:
            file = self._written.pop()
            os.fsync(file)
            os.close(file)
        if self._created:
            self._created = False
            os.fsync(self._directory)

    def close(self) -> None:
        """Seal and sync what is open; the folder is free for another process then."""
        self.seal()
        if self.is_dirty():
            self.sync()
        self._close_written()
        os.close(self._directory)
        os.close(self._lock)

    def _create(self, number: int) -> int:
        flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_APPEND
        self._created = True
        return os.open(self._path(number), flags, 0o600)

    def _append(self, file: int, line: bytes) -> None:
        """All of the line or nothing. Raises OSError, as when the disk is full."""
        try:
            if os.write(file, line) < len(line):
                raise OSError(errno.ENOSPC, "the event could not be written whole")
        except OSError:
            os.ftruncate(file, self.open_bytes)
            raise

    def _path(self, number: int) -> Path:
        return self._folder / f"{number:016d}.events"

    def _close_written(self) -> None:
        while self._written:
            os.close(self._written.pop())


def _held(folder: Path) -> int:
    """The lock of the folder; it ends with the process, however that ends."""
    lock = os.open(folder / "lock", os.O_WRONLY | os.O_CREAT, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(lock)
        raise SpoolBusy(f"{folder} is in use: a spool has one producer at a time") from None
    return lock


def _whole_lines(text: bytes) -> Iterator[bytes]:
    """The events whose lines are as they were written."""
    for line in text.split(b"\n"):
        sum_, _, event = line.partition(b" ")
        if event and sum_ == b"%08x" % zlib.crc32(event):
            yield event
