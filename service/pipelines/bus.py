"""The bus of a pipeline: what its source gave, kept on the broker until every target has it.

One message of the bus carries messages of the source together with the cursor after them, and is
appended only after the one that its writer saw last. So the cursor and the messages cannot part,
and a second writer cannot slip anything between.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import msgspec
import zstandard

from service.errors import InvalidInput, PoisonMessage, TooLarge
from service.pipelines.model import Cursor, SourceMessage
from service.stream.bucket import Bucket
from service.stream.journal import Extent, Journal, Shape

LARGEST_FRAME = 8 * 1024 * 1024
"""Bytes of a frame before it is packed: what one step of a pipeline holds in memory."""
_ID = re.compile(r"[A-Za-z0-9_-]{1,64}")
_COMPRESSION = 1


class Broker(Protocol):
    """What pipelines need of the broker."""

    async def journal(self, shape: Shape) -> Journal: ...

    async def bucket(self, name: str) -> Bucket: ...

    async def entries(self, subject: str) -> int:
        """How many entries all journals below a subject hold. Raises ConnectionError."""
        ...


class Frame(msgspec.Struct, frozen=True):
    """What one message of the bus carries."""

    messages: Sequence[SourceMessage]
    cursor: Cursor | None = None
    only: str = ""
    """The one subscription that these are for; empty: for all."""


@dataclass(frozen=True, slots=True)
class Carried:
    """A frame, and where and when the bus took it."""

    sequence: int
    time: int
    frame: Frame


@dataclass(frozen=True, slots=True)
class Head:
    """The end of the bus: the sequence of its last message (0: none) and the cursor in it."""

    sequence: int
    cursor: Cursor | None


class Bus:
    """The bus of one pipeline. Everything raises ConnectionError when the broker is away."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal

    async def head(self) -> Head:
        last = await self._journal.last()
        return Head(last.sequence, _unpacked(last.body).cursor) if last else Head(0, None)

    async def put(self, frame: Frame, after: int | None, name: str = "") -> int:
        """Append, and return the frame's sequence; with `after` only if that is the head's.

        `name` is what a repeat of the same frame is recognised by, for some minutes.

        Raises Moved, JournalFull and TooLarge, and has kept nothing then.
        """
        return await self._journal.append(_packed(frame), after=after, name=name)

    async def read(self, after: int, most: int) -> Sequence[Carried]:
        """The next frames, as many as there are now and at most `most`."""
        found = await self._journal.read(after, most)
        return [Carried(one.sequence, one.time, _unpacked(one.body)) for one in found]

    async def before(self, time: int) -> int:
        """The sequence after which everything was kept at this time (ms) or later."""
        found = await self._journal.since(time)
        return found.sequence - 1 if found else (await self._journal.extent()).last

    async def extent(self) -> Extent:
        return await self._journal.extent()

    @property
    def max_bytes(self) -> int:
        return self._journal.shape.max_bytes

    async def purge(self, before: int) -> None:
        """Forget frames with a lower sequence; the head stays, for it has the cursor."""
        last = (await self._journal.extent()).last
        await self._journal.purge(min(before, last))

    async def delete(self) -> None:
        await self._journal.delete()


async def open_bus(broker: Broker, pipeline_id: str, max_bytes: int) -> Bus:
    """The bus of a pipeline, made if it is not there. Raises InvalidInput for an unusable id."""
    check_id(pipeline_id)
    name, subject = f"HEADRACE_PIPE_{pipeline_id}", f"headrace.pipe.{pipeline_id}"
    return Bus(await broker.journal(Shape(name, subject, max_bytes)))


def check_id(text: str) -> None:
    """Raises InvalidInput for what cannot be part of a name on the broker."""
    if not _ID.fullmatch(text):
        raise InvalidInput(f"an id has 1 to 64 letters, digits, _ and - only: {text!r}")


_encode = msgspec.msgpack.Encoder(enc_hook=str, decimal_format="number").encode
_decode = msgspec.msgpack.Decoder(Frame).decode


def _packed(frame: Frame) -> bytes:
    try:
        raw = _encode(frame)
    except (RecursionError, OverflowError, UnicodeEncodeError) as error:
        raise TooLarge(f"a message cannot be written down: {error}") from error
    if len(raw) > LARGEST_FRAME:
        raise TooLarge(f"a frame has at most {LARGEST_FRAME} bytes")
    return zstandard.ZstdCompressor(level=_COMPRESSION).compress(raw)


def _unpacked(body: bytes) -> Frame:
    try:
        raw: Any = zstandard.ZstdDecompressor().decompress(body, max_output_size=LARGEST_FRAME)
        return _decode(raw)
    except (zstandard.ZstdError, msgspec.DecodeError, RecursionError) as error:
        raise PoisonMessage(f"a frame of the bus cannot be read: {error}") from error
