"""Putting a backup back, into a data directory that is not there yet."""

import asyncio
import shutil
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

from rich.console import Console

from service.bootstrap.looking import adopt_stream, embedded_broker
from service.errors import TransferFailed
from service.moving.backup.bar import shown
from service.moving.backup.making import refuse_servers
from service.moving.backup.manifest import Held, Manifest, Sheet, check, digest_of, pieces_of, read
from service.settings import Settings
from service.stream import subjects
from service.stream.snapshots import snapshots_of
from service.telemetry import configure_logs

_PARTIAL = ".restoring"
_STREAM = ".stream"


async def restore(settings: Settings, source: Path, console: Console) -> int:
    """Make the data directory of a backup. Raises TransferFailed; then nothing was made."""
    refuse_servers(settings, "restore")
    configure_logs(settings.log_format, settings.secrets, settings.log_level)
    target, manifest = settings.data_dir, read(source)
    partial = _new_folder(target)
    with shown(console, "restoring", manifest.bytes) as advance:
        await asyncio.to_thread(_copy_files, manifest, source, partial, advance)
        created = await _put_streams_back(manifest, source, partial, advance)
    await adopt_stream(replace(settings, data_dir=partial), created)
    partial.rename(target)  # which may be there, if it is empty
    console.print(f"{target}: as it was on {manifest.made_at}; start it with `headrace up`")
    if not manifest.secret_in_file:
        console.print("set SECRET_KEY as it was then: it is not in the backup")
    return 0


def _new_folder(target: Path) -> Path:
    """Where it is made before it has its name; what an earlier try left goes."""
    if target.exists() and any(target.iterdir()):
        raise TransferFailed(
            f"{target} is there, and is not overwritten: move it away, or set HEADRACE_DATA_DIR"
        )
    partial = target.with_name(target.name + _PARTIAL)
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(mode=0o700, parents=True)
    return partial


def _copy_files(
    manifest: Manifest, source: Path, partial: Path, advance: Callable[[int], None]
) -> None:
    for name, held in manifest.files.items():
        if Path(name).name != name:
            raise TransferFailed(f"{name!r} is no file of a backup")
        if not name.endswith(_STREAM):
            sheet = Sheet(partial / name, advance)
            for piece in _pieces(source / name):
                sheet.write(piece)
            check(name, held, sheet.close())
            (partial / name).chmod(0o600)


async def _put_streams_back(
    manifest: Manifest, source: Path, partial: Path, advance: Callable[[int], None]
) -> str:
    """Have a broker make every stream of its file; when the events' stream was made."""
    created = {}
    async with (
        embedded_broker(partial / "stream") as url,
        snapshots_of(url) as broker,
    ):
        for name, snapshot in manifest.streams.items():
            file = f"{name}{_STREAM}"
            await asyncio.to_thread(_check_file, source / file, manifest.files[file])
            pieces = _counted(_pieces(source / file), advance)
            created[name] = await broker.put_back(name, snapshot, pieces)
    return created[subjects.EVENTS]


def _check_file(path: Path, held: Held) -> None:
    """What the broker gets was looked at before: it believes everything."""
    check(path.name, held, digest_of(_pieces(path)))


def _pieces(path: Path) -> Iterator[bytes]:
    try:
        yield from pieces_of(path)
    except FileNotFoundError:
        raise TransferFailed(f"{path} is missing from the backup") from None


def _counted(pieces: Iterator[bytes], advance: Callable[[int], None]) -> Iterator[bytes]:
    for piece in pieces:
        yield piece
        advance(len(piece))
