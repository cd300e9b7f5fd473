"""What a backup holds: every file with its size and digest, every stream with what it was."""

import hashlib
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import msgspec

from service.errors import TransferFailed
from service.stream.snapshots import Snapshot

NAME = "manifest.json"
PIECE = 1024 * 1024


class Held(msgspec.Struct, frozen=True):
    """A file: bytes, and its SHA-256 in hex."""

    bytes: int
    sha256: str


class Manifest(msgspec.Struct):
    """The list of what a whole backup has. It is written last."""

    version: str
    """Of the program that made it."""
    made_at: str
    files: dict[str, Held]
    streams: dict[str, Snapshot]
    secret_in_file: bool
    """Whether the secret is in the backup; otherwise SECRET_KEY has to be set as it was."""

    @property
    def bytes(self) -> int:
        return sum(held.bytes for held in self.files.values())


class Sheet:
    """A file that is written and digested in one go."""

    def __init__(self, path: Path, advance: Callable[[int], None]) -> None:
        self._file = path.open("xb")
        self._digest = hashlib.sha256()
        self._bytes = 0
        self._advance = advance

    def write(self, piece: bytes) -> None:
        self._file.write(piece)
        self._digest.update(piece)
        self._bytes += len(piece)
        self._advance(len(piece))

    def close(self) -> Held:
        self._file.close()
        return Held(self._bytes, self._digest.hexdigest())


def digest_of(pieces: Iterable[bytes]) -> Held:
    """Size and digest of what there is."""
    digest, size = hashlib.sha256(), 0
    for piece in pieces:
        digest.update(piece)
        size += len(piece)
    return Held(size, digest.hexdigest())


def copy(source: Path, target: Path, advance: Callable[[int], None]) -> Held:
    """Copy a file that nobody changes meanwhile."""
    sheet = Sheet(target, advance)
    for piece in pieces_of(source):
        sheet.write(piece)
    target.chmod(source.stat().st_mode & 0o777)
    return sheet.close()


def pieces_of(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        while piece := file.read(PIECE):
            yield piece


def read(folder: Path) -> Manifest:
    """The manifest of a backup. Raises TransferFailed when there is none, or it cannot be read."""
    try:
        return msgspec.json.decode((folder / NAME).read_bytes(), type=Manifest)
    except FileNotFoundError:
        raise TransferFailed(f"{folder} is no backup: it has no {NAME}") from None
    except msgspec.MsgspecError as error:
        raise TransferFailed(f"{folder / NAME} cannot be read: {error}") from None


def check(name: str, expected: Held, found: Held) -> None:
    """Raises TransferFailed for a file that is not the one that was backed up."""
    if found != expected:
        raise TransferFailed(f"{name} is damaged: its size or SHA-256 is not the manifest's")
