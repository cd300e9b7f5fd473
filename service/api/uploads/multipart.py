"""A multipart body as it comes in: fields into memory, the file piece by piece to whoever keeps it.

RFC 7578. The configuration and other fields stand before the file or behind it.
"""

import asyncio
from collections.abc import AsyncIterator
from typing import Any, Protocol

from litestar.types import Receive
from multipart import (  # type: ignore[import-untyped]
    MultipartError,
    MultipartSegment,
    PushMultipartParser,
    parse_options_header,
)

from service.api.bodies import ClientGone
from service.errors import InvalidInput, RequestTimeout, TooLarge, UnsupportedMedia

LARGEST_FIELD = 256 * 1024
SILENCE = 30.0
"""Seconds after which a sender who sends nothing is given up."""
_MOST_PARTS = 8


class Keeper(Protocol):
    """Where the file goes."""

    async def write(self, piece: bytes) -> None: ...


class Form:
    """The fields of a body, and under which name its file came."""

    def __init__(self, allowed: frozenset[str]) -> None:
        self._allowed = allowed
        self.fields: dict[str, str] = {}
        self.file_name: str | None = None

    async def read(self, receive: Receive, boundary: str, keeper: Keeper) -> None:
        """Read the whole body.

        Raises InvalidInput for what is no such form, TooLarge, RequestTimeout, ClientGone, and what
        the keeper raises.
        """
        try:
            with PushMultipartParser(
                boundary, max_segment_count=_MOST_PARTS, strict=True
            ) as parser:
                segment, text = None, bytearray()
                async for piece in _pieces(receive):
                    for event in parser.parse(piece):
                        if isinstance(event, MultipartSegment):
                            segment, text = event, bytearray()
                            self._begin(segment)
                        elif segment is None:
                            continue
                        elif event is None:
                            self._end(segment, text)
                        elif segment.name == "file":
                            await keeper.write(bytes(event))
                        else:
                            text += event
                            _bound(segment, text)
        except MultipartError as error:
            raise InvalidInput(f"the body is no whole multipart form: {error}") from None

    def _begin(self, segment: MultipartSegment) -> None:
        name = segment.name or ""
        if name != "file" and name not in self._allowed:
            there = ", ".join(sorted({"file", *self._allowed}))
            raise InvalidInput(f"there is no field {name!r}; there are: {there}", name or None)
        if name in self.fields or (name == "file" and self.file_name is not None):
            raise InvalidInput(f"{name} came twice", name)
        if name == "file":
            self.file_name = segment.filename or "rows.csv"

    def _end(self, segment: MultipartSegment, text: bytearray) -> None:
        name = segment.name or ""
        if name == "file":
            return
        try:
            self.fields[name] = text.decode()
        except UnicodeDecodeError:
            raise InvalidInput(f"{name} is not UTF-8", name) from None


def boundary_of(headers: dict[bytes, bytes]) -> str:
    """The boundary that the content type names. Raises UnsupportedMedia."""
    kind, options = parse_options_header(headers.get(b"content-type", b"").decode("latin-1"))
    boundary: str = options.get("boundary", "")
    if kind != "multipart/form-data" or not boundary:
        raise UnsupportedMedia("send the file as multipart/form-data", "content-type")
    if headers.get(b"content-encoding", b"identity") not in (b"", b"identity"):
        raise UnsupportedMedia("send the body plain", "content-encoding")
    return boundary


async def _pieces(receive: Receive) -> AsyncIterator[bytes]:
    more = True
    while more:
        try:
            async with asyncio.timeout(SILENCE):
                message: Any = await receive()
        except TimeoutError:
            raise RequestTimeout(f"nothing came for {SILENCE:g} seconds") from None
        if message["type"] != "http.request":
            raise ClientGone
        more = message.get("more_body", False)
        if piece := message.get("body", b""):
            yield piece


def _bound(segment: MultipartSegment, text: bytearray) -> None:
    if len(text) > LARGEST_FIELD:
        raise TooLarge(f"a field may have at most {LARGEST_FIELD} bytes", segment.name)
