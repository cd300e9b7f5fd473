"""The data directory: whether it is there, whose it is, and how much room its disk has."""

import shutil
from collections.abc import Iterator
from pathlib import Path

from service.doctor.remark import Part, Remark
from service.settings import Settings

_PART = Part("data directory")
_LEAST_FREE = 1024**3
"""Bytes under which the next hour is in doubt: a checkpoint, a sort, a log."""
_MORE_ROOM = "free some, or move the data directory to a larger disk"


def examine_place(settings: Settings) -> Iterator[Remark]:
    """The folder and its disk."""
    folder = settings.data_dir
    if not folder.is_dir():
        said = f"{folder.absolute()} is not there: no service was ever started on it"
        yield _PART.wrong("folder", said, "set HEADRACE_DATA_DIR to where the service works")
        return
    yield _owner(folder)
    yield _free(folder)


def _owner(folder: Path) -> Remark:
    if folder.stat().st_mode & 0o002:
        said = f"anybody on this machine may write in {folder.absolute()}"
        return _PART.wrong("folder", said, f"chmod o-w {folder}")
    return _PART.right("folder", f"{folder.absolute()}")


def _free(folder: Path) -> Remark:
    disk = shutil.disk_usage(folder)
    said = f"{size(disk.free)} of {size(disk.total)} are free"
    if disk.free < _LEAST_FREE:
        return _PART.wrong("disk", said, _MORE_ROOM)
    return _PART.right("disk", said)


def examine_room(folder: Path, taken: int, most: int) -> Remark:
    """Whether the disk of the embedded stream has the room that the stream may still take."""
    left, free = max(0, most - taken), shutil.disk_usage(folder).free
    said = f"it may grow by {size(left)}, its disk has {size(free)}"
    if left > free:
        return Part("stream").doubtful(
            "disk", said, "make HEADRACE_STREAM_MAX_BYTES smaller, or the disk larger"
        )
    return Part("stream").right("disk", said)


def size(number: float) -> str:
    """Bytes as people read them."""
    for unit in ("bytes", "kB", "MB", "GB"):
        if number < 1000:
            return f"{number:.0f} {unit}" if unit == "bytes" else f"{number:.1f} {unit}"
        number /= 1000
    return f"{number:.1f} TB"
