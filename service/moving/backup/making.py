"""Making a backup, while the service runs or while it does not.

The order makes it one: accounts first, then the event store, then the streams, the events' last. So
the store's progress is never beyond the stream, and whoever was erased in the accounts is erased in
the store (docs/decisions/0023).
"""

import asyncio
import shutil
import sqlite3
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, closing, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import httpx2
import msgspec
from rich.console import Console

from service import __version__, running
from service.bootstrap.looking import embedded_broker, stream_url
from service.bootstrap.place import hold
from service.condition import condition_in
from service.errors import NotRunning, SettingsError, TransferFailed
from service.moving.backup.bar import shown
from service.moving.backup.manifest import NAME, Held, Manifest, Sheet, copy
from service.running import Running
from service.settings import Settings
from service.stream import subjects
from service.stream.snapshots import Snapshots, snapshots_of
from service.telemetry import configure_logs

EVENTS, ACCOUNTS, SECRET = "events.duckdb", "control.sqlite", "secret_key"
_LOG = f"{EVENTS}.wal"
_PATIENCE = 60.0
"""Seconds that the service has to finish the insert under way."""
_PARTIAL = ".partial"


@dataclass(frozen=True, slots=True)
class _Source:
    """The installation that is backed up."""

    url: str
    """Of its broker."""
    there: Running | None
    """The service that works on it, if one does."""


async def backup(settings: Settings, target: Path, console: Console) -> int:
    """Make a backup in a new folder. Raises TransferFailed; then there is none."""
    refuse_servers(settings, "backup")
    configure_logs(settings.log_format, settings.secrets, settings.log_level)
    partial = _new_folder(settings.data_dir, target)
    with shown(console, "backing up", _size(settings.data_dir)) as advance:
        manifest = await _fill(settings, partial, advance)
    (partial / NAME).write_bytes(msgspec.json.format(msgspec.json.encode(manifest)))
    partial.rename(target)
    console.print(f"{target}: {manifest.bytes:,} bytes, {len(manifest.streams)} streams")
    if not manifest.secret_in_file:
        console.print("keep SECRET_KEY beside it: it is not in the backup")
    return 0


def _new_folder(data_dir: Path, target: Path) -> Path:
    """Where the backup is made before it has its name; what an earlier try left goes."""
    if target.exists():
        raise TransferFailed(f"{target} is there already; name a new folder")
    if not (data_dir / EVENTS).exists():
        raise TransferFailed(f"{data_dir} holds no event store: nothing to back up")
    partial = target.with_name(target.name + _PARTIAL)
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(mode=0o700, parents=True)
    return partial


def refuse_servers(settings: Settings, command: str) -> None:
    """Raises SettingsError where a part is a server: that has its own means."""
    for variable, url in (
        ("NATS_URL", settings.nats_url),
        ("CLICKHOUSE_URL", settings.clickhouse_url),
        ("POSTGRES_URL", settings.postgres_url),
    ):
        if url:
            raise SettingsError(
                f"headrace {command} is for the embedded parts, and {variable} is set: use what "
                "that server has for it (docs/operations.md, Backups)"
            )


async def _fill(settings: Settings, folder: Path, advance: Callable[[int], None]) -> Manifest:
    """Copy everything in the order that makes it one."""
    data, files = settings.data_dir, dict[str, Held]()
    async with _source(settings) as source:
        files[ACCOUNTS] = await asyncio.to_thread(_copy_accounts, data, folder, advance)
        stored = await _stored(source)
        async with _still(source) as goes_on:
            for name in (EVENTS, _LOG):
                if (data / name).exists():
                    files[name] = await asyncio.to_thread(copy, data / name, folder / name, advance)
            goes_on()
        if in_file := not settings.secret_key and (data / SECRET).exists():
            files[SECRET] = copy(data / SECRET, folder / SECRET, advance)
        manifest = Manifest(__version__, datetime.now(UTC).isoformat(), files, {}, in_file)
        async with snapshots_of(source.url) as broker:
            await _copy_streams(broker, manifest, folder, advance)
            await _refuse_gap(broker, stored)
    return manifest


@asynccontextmanager
async def _source(settings: Settings) -> AsyncIterator[_Source]:
    """The running service, or the data directory held and its broker started."""
    try:
        there = running.read(settings.data_dir)
    except NotRunning:
        with hold(settings.data_dir):
            async with embedded_broker(settings.data_dir / "stream") as url:
                yield _Source(url, None)
    else:
        yield _Source(stream_url(settings), there)


def _copy_accounts(data: Path, folder: Path, advance: Callable[[int], None]) -> Held:
    """A copy of one moment, whoever writes meanwhile; SQLite's own, then digested."""
    first, second = folder / f"{ACCOUNTS}.copy", folder / ACCOUNTS
    with (
        closing(sqlite3.connect(data / ACCOUNTS)) as source,
        closing(sqlite3.connect(first)) as target,
    ):
        source.backup(target)
    held = copy(first, second, advance)
    first.unlink()
    return held


async def _stored(source: _Source) -> int:
    """Up to where the store certainly has the stream before it is copied."""
    if source.there is None:
        return 0
    async with running.calling(source.there, _PATIENCE) as client:
        return (await condition_in(client)).sequence


@asynccontextmanager
async def _still(source: _Source) -> AsyncIterator[Callable[[], None]]:
    """Nothing is written to the event store in the block, unless what it yields raises.

    A service holds it still for as long as the connection lasts: whichever side dies, it ends.
    """
    if source.there is None:
        yield lambda: None
        return
    try:
        async with (
            running.calling(source.there, _PATIENCE) as client,
            client.stream("POST", "/-/still") as answer,
        ):
            answer.raise_for_status()
            beats = answer.aiter_raw()
            await anext(beats)
            listening = asyncio.ensure_future(_until_over(beats))
            try:
                yield lambda: _refuse_if(listening.done())
            finally:
                listening.cancel()
                await asyncio.gather(listening, return_exceptions=True)
    except (httpx2.HTTPError, StopAsyncIteration) as error:
        raise TransferFailed(f"the service does not hold still: {error!r}") from error


async def _until_over(beats: AsyncIterator[bytes]) -> None:
    with suppress(httpx2.HTTPError):
        async for _ in beats:
            pass


def _refuse_if(over: bool) -> None:
    if over:
        raise TransferFailed("the service ended while its event store was copied; try again")


async def _copy_streams(
    broker: Snapshots, manifest: Manifest, folder: Path, advance: Callable[[int], None]
) -> None:
    for name in await broker.names():
        sheet = Sheet(folder / f"{name}.stream", advance)
        try:
            manifest.streams[name] = await broker.take(name, sheet.write)
        finally:
            manifest.files[f"{name}.stream"] = sheet.close()


async def _refuse_gap(broker: Snapshots, stored: int) -> None:
    """The stream must have kept all that the copied store lacks, until it was copied itself."""
    state = (await broker.state(subjects.EVENTS))["state"]
    if stored and state["first_seq"] > stored + 1:
        raise TransferFailed(
            "the stream let go of events while they were copied: raise "
            "HEADRACE_STREAM_KEEP_SECONDS, and try again"
        )


def _size(data_dir: Path) -> int:
    """About how many bytes there are to copy."""
    files = [data_dir / EVENTS, data_dir / _LOG, data_dir / ACCOUNTS]
    files += (data_dir / "stream").rglob("*.blk")
    return sum(file.stat().st_size for file in files if file.exists())
