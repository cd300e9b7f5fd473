"""Where the service of a data directory is reached: a note that it leaves there while it runs."""

import os
from pathlib import Path

import msgspec

from service.errors import NotRunning

_NAME = "run.json"


class Running(msgspec.Struct, frozen=True):
    """A service that runs on a data directory."""

    url: str
    pid: int
    operator_token: str
    """Lets whoever can read the note use the routes for operators; made anew at each start."""


def write(data_dir: Path, running: Running) -> None:
    """Leave the note, readable by its owner alone, in place of an earlier one."""
    new = data_dir / f"{_NAME}.{running.pid}"
    new.unlink(missing_ok=True)
    new.touch(mode=0o600, exist_ok=False)
    new.write_bytes(msgspec.json.encode(running))
    new.replace(data_dir / _NAME)


def read(data_dir: Path) -> Running:
    """The service that runs on this data directory; raises NotRunning when there is none."""
    try:
        running = msgspec.json.decode((data_dir / _NAME).read_bytes(), type=Running)
    except (FileNotFoundError, msgspec.DecodeError):
        running = None
    if running is None or not _lives(running.pid):
        raise NotRunning(f"no service runs on {data_dir}; start one with `headrace up`")
    return running


def remove(data_dir: Path, pid: int) -> None:
    """Take the note of this process away; one left by another process stays."""
    try:
        running = read(data_dir)
    except NotRunning:
        return
    if running.pid == pid:
        (data_dir / _NAME).unlink(missing_ok=True)


def _lives(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
