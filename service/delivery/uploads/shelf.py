"""Uploads on the disk of this machine: a folder each, which every process of it may read.

FOLDER/upl_…/told.json     what is to be done, the configuration sealed
             state.json    how far it is; written by the process that delivers it
             tenant        whose it is
             lock          held by the process that takes it in
             rows.csv      the file, as it came
             delivery/     the journal, whose lock says who delivers it, and the reports
             gone          it is to be removed
"""

import os
import re
import secrets
import shutil
import time
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Protocol, TypeVar

import msgspec

from service.delivery.journal import hold, is_held
from service.delivery.outcomes import Outcome
from service.errors import Conflict, NotFound, Overloaded

State = Literal["waiting", "sending", "stopped", "done"]
UNFINISHED = frozenset({"waiting", "sending"})
MOST_LISTED = 100

_ID = re.compile(r"upl_[0-9a-f]{24}")
_BEING_TAKEN = ".new"
_SPARE = 256 * 1024 * 1024
"""Bytes of the disk that stay free."""

_Struct = TypeVar("_Struct", bound=msgspec.Struct)


class Sealing(Protocol):
    """Keeps a text that nobody may read; it opens only where it was put."""

    def seal(self, text: bytes, bound_to: str) -> str: ...

    def open(self, sealed: str, bound_to: str) -> bytes:
        """Raises SealBroken."""
        ...


class Told(msgspec.Struct, frozen=True):
    """What is to be done. Times in ms since 1970 UTC."""

    id: str
    tenant: str
    name: str
    api: str
    mapping: str
    config: str
    """Sealed, once it is on the disk."""
    asked_at: int


class Standing(msgspec.Struct, frozen=True):
    """How far it is. `reason` says why it stopped."""

    state: State = "waiting"
    reason: str = ""
    size: int = 0
    byte: int = 0
    outcomes: Mapping[Outcome, int] = {}
    delay: float = 0.0
    closed_for: float = 0.0
    changed_at: int = 0


@dataclass(frozen=True, slots=True)
class Upload:
    """One upload, as it was when it was read."""

    folder: Path
    told: Told
    standing: Standing

    @property
    def rows(self) -> Path:
        return self.folder / "rows.csv"

    @property
    def delivery(self) -> Path:
        return self.folder / "delivery"

    @property
    def place(self) -> str:
        """What its sealed configuration is bound to."""
        return f"uploads/{self.told.id}/config"


@dataclass(frozen=True, slots=True)
class Begun:
    """What is being taken in, for as long as its lock is open."""

    id: str
    folder: Path
    lock: int


class Shelf:
    """All uploads of this machine."""

    def __init__(self, folder: Path, sealing: Sealing) -> None:
        self._folder = folder
        self._sealing = sealing

    def held(self, tenant: str) -> tuple[int, int]:
        """How many uploads of an environment have not ended, and bytes of all its files, those
        among them that are being taken in."""
        unfinished = size = 0
        for folder in self._folders():
            with suppress(FileNotFoundError):
                if (folder / "tenant").read_text() != tenant or _is_gone(folder):
                    continue
                found = _read_if(folder)
                unfinished += found is None or found.standing.state in UNFINISHED
                size += (folder / "rows.csv").stat().st_size
        return unfinished, size

    def begin(self, tenant: str, announced: int) -> Begun:
        """An id, and a folder for what is being taken in. Raises Overloaded without room for it."""
        self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        if shutil.disk_usage(self._folder).free - announced < _SPARE:
            raise Overloaded("there is no room for this file", 60.0)
        name = f"upl_{secrets.token_hex(12)}"
        unseen = self._folder / f".{name}"
        unseen.mkdir(mode=0o700)
        (unseen / "tenant").write_text(tenant)
        lock = hold(unseen)
        return Begun(name, unseen.rename(self._folder / f"{name}{_BEING_TAKEN}"), lock)

    def put(self, folder: Path, told: Told) -> Upload:
        """What was taken in is an upload now, and will be delivered whatever happens."""
        sealed = self._sealing.seal(told.config.encode(), f"uploads/{told.id}/config")
        write(folder / "told.json", msgspec.structs.replace(told, config=sealed))
        write(folder / "state.json", Standing(changed_at=now_ms()))
        for path in (folder / "rows.csv", folder):
            _sync(path)
        there = folder.rename(self._folder / told.id)
        _sync(self._folder)
        return _read(there)

    def config_of(self, upload: Upload) -> str:
        """The configuration's text. Raises SealBroken."""
        return self._sealing.open(upload.told.config, upload.place).decode()

    def find(self, tenant: str, name: str) -> Upload:
        """Raises NotFound."""
        upload = _read_if(self._folder / name) if _ID.fullmatch(name) else None
        if upload is None or upload.told.tenant != tenant:
            raise NotFound(f"there is no upload {name[:64]} on the machine that answers")
        return upload

    def latest(self, tenant: str) -> Sequence[Upload]:
        """Those of an environment, the newest first."""
        found = [one for one in self.all() if one.told.tenant == tenant]
        return sorted(found, key=lambda one: -one.told.asked_at)[:MOST_LISTED]

    def all(self) -> Iterator[Upload]:
        """Those of every environment, in no order."""
        return filter(None, map(_read_if, self._folders()))

    def go_on(self, upload: Upload) -> None:
        """Have one that ended try again what is not there. Raises Conflict for another one."""
        check_over(upload)
        waiting = msgspec.structs.replace(upload.standing, state="waiting", reason="")
        write(upload.folder / "state.json", waiting)

    def remove(self, upload: Upload) -> None:
        """Have it ended, and forgotten."""
        (upload.folder / "gone").touch()

    def sweep(self, older_than: float, running: Collection[str]) -> None:
        """Delete what is gone and not being delivered, here or elsewhere, what has ended so many
        seconds ago, and what a process that died was taking in."""
        now = time.time()
        for upload in list(self.all()):
            ended = upload.standing.state not in UNFINISHED
            if ended and now - upload.standing.changed_at / 1000 > older_than:
                self.remove(upload)
        for folder in self._folders():
            left = folder.name.endswith(_BEING_TAKEN) and not is_held(folder)
            over = _is_gone(folder) and folder.name not in running
            if left or (over and not is_held(folder / "delivery")):
                shutil.rmtree(folder, ignore_errors=True)

    def _folders(self) -> Sequence[Path]:
        return list(self._folder.glob("upl_*")) if self._folder.exists() else []


def check_over(upload: Upload) -> None:
    """Raises Conflict for one that has not ended."""
    if upload.standing.state in UNFINISHED:
        raise Conflict(f"{upload.told.id} is being delivered")


def is_gone(upload: Upload) -> bool:
    """Whether it is to be removed."""
    return _is_gone(upload.folder)


def stand(upload: Upload, standing: Standing) -> None:
    """Write down how far it is."""
    write(upload.folder / "state.json", standing)


def write(path: Path, content: msgspec.Struct) -> None:
    """The file is as it was, or as it is now."""
    new = path.with_name(f"{path.name}.new")
    new.write_bytes(msgspec.json.encode(content))
    _sync(new)
    new.replace(path)


def now_ms() -> int:
    return time.time_ns() // 1_000_000


def _read(folder: Path) -> Upload:
    told = _decoded(folder / "told.json", Told)
    return Upload(folder, told, _decoded(folder / "state.json", Standing))


def _read_if(folder: Path) -> Upload | None:
    """None for one that is gone, going, or not there yet."""
    try:
        return None if _is_gone(folder) else _read(folder)
    except FileNotFoundError:
        return None


def _decoded(path: Path, kind: type[_Struct]) -> _Struct:
    return msgspec.json.decode(path.read_bytes(), type=kind)


def _is_gone(folder: Path) -> bool:
    return (folder / "gone").exists()


def _sync(path: Path) -> None:
    file = os.open(path, os.O_RDONLY)
    try:
        os.fsync(file)
    finally:
        os.close(file)
