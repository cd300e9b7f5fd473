"""Whole streams as files, out of a broker and into another, by JetStream's own snapshots.

A snapshot is of one moment, though the broker goes on meanwhile. What is put back keeps its
sequences and ids; the stream counts as made anew.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from typing import Any

import msgspec
import nats.errors
from nats.aio.client import Client as Connection
from nats.aio.msg import Msg

from service.stream import subjects

_CHUNK = 128 * 1024
_PATIENCE = 30.0
"""Seconds without a word from the broker after which a copy is given up."""


class Snapshot(msgspec.Struct, frozen=True):
    """What has to be said to put a stream back, beside its file."""

    config: dict[str, Any]
    state: dict[str, Any]


class Snapshots:
    """The streams of one broker. Any call raises ConnectionError if the broker does not do it."""

    def __init__(self, connection: Connection) -> None:
        self._nats = connection

    async def names(self) -> list[str]:
        """Those whose positions others hold come last, the events' stream after all."""
        found: list[str] = (await self._api("STREAM.NAMES")).get("streams") or []
        return sorted(found, key=lambda name: (name == subjects.EVENTS, not _points(name), name))

    async def state(self, name: str) -> dict[str, Any]:
        """What JetStream tells of a stream: `created`, `state`, `config`."""
        return await self._api(f"STREAM.INFO.{name}")

    async def take(self, name: str, write: Callable[[bytes], None]) -> Snapshot:
        """Hand a stream's file over in pieces."""
        inbox, pieces = self._nats.new_inbox(), asyncio.Queue[Msg]()
        arriving = await self._nats.subscribe(inbox, cb=pieces.put)
        try:
            asked = {"deliver_subject": inbox, "chunk_size": _CHUNK}
            begun = await self._api(f"STREAM.SNAPSHOT.{name}", asked)
            async for piece in _until_empty(pieces):
                await asyncio.to_thread(write, piece)
        finally:
            await arriving.unsubscribe()
        return Snapshot(begun["config"], begun["state"])

    async def put_back(self, name: str, snapshot: Snapshot, pieces: Iterable[bytes]) -> str:
        """Make a stream of its file; when it was made (`created`)."""
        begun = await self._api(f"STREAM.RESTORE.{name}", msgspec.to_builtins(snapshot))
        for piece in pieces:
            for start in range(0, len(piece), _CHUNK):
                await self._ask(begun["deliver_subject"], piece[start : start + _CHUNK])
        made = _told(await self._ask(begun["deliver_subject"], b""))
        return str(made["created"])

    async def _api(self, subject: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
        return _told(await self._ask(f"$JS.API.{subject}", msgspec.json.encode(body or {})))

    async def _ask(self, subject: str, body: bytes) -> bytes:
        try:
            return (await self._nats.request(subject, body, timeout=_PATIENCE)).data
        except (nats.errors.Error, TimeoutError) as error:
            raise ConnectionError(f"the broker does not answer: {error or 'in time'}") from error


@asynccontextmanager
async def snapshots_of(url: str) -> AsyncIterator[Snapshots]:
    """The streams of the broker at `url`; raises ConnectionError if it is away."""
    connection = Connection()
    try:
        await connection.connect(url, name="headrace backup", allow_reconnect=False)
    except (nats.errors.Error, OSError, TimeoutError) as error:
        raise ConnectionError(f"the broker does not answer: {error}") from error
    try:
        yield Snapshots(connection)
    finally:
        await connection.close()


async def _until_empty(pieces: asyncio.Queue[Msg]) -> AsyncIterator[bytes]:
    """Each piece, acknowledged so that the next ones come; an empty one is the end."""
    while True:
        try:
            async with asyncio.timeout(_PATIENCE):
                piece = await pieces.get()
        except TimeoutError:
            raise ConnectionError("the broker stopped in the middle of a stream") from None
        if (piece.headers or {}).get("Status", "200") >= "400":
            raise ConnectionError(f"the broker gave up: {piece.headers}")
        if not piece.data:
            return
        yield piece.data
        if piece.reply:
            await piece.respond(b"")


def _points(name: str) -> bool:
    """Whether a stream holds places in others: a bucket of values."""
    return name.startswith(subjects.bucket(""))


def _told(answer: bytes) -> dict[str, Any]:
    told: dict[str, Any] = msgspec.json.decode(answer)
    if "error" in told:
        raise ConnectionError(f"the broker refuses: {told['error'].get('description')}")
    return told
