"""Request bodies, read from the connection itself: bounded in bytes and time, inflated on the way.

Litestar's own path to a body costs about twice the decoding of a 500-event batch.
"""

import asyncio
import re
import zlib
from base64 import b64encode
from collections.abc import Callable, Mapping
from hashlib import sha256
from typing import Any, Protocol

import zstandard
from litestar.types import Receive

from service.errors import InvalidInput, RequestTimeout, TooLarge, UnsupportedMedia

JSON = b"application/json"
NDJSON = b"application/x-ndjson"

SHA256 = re.compile(rb"sha-256=:([0-9A-Za-z+/]{43}=):")
"""A digest as RFC 9530 writes it."""

_SHA256_NAMED = re.compile(rb"(?:^|,)[ \t]*sha-256=([^,]*)")
_MOST_MEMBERS = 1000
"""Members (gzip) or frames (zstd) in one body; an empty one costs the sender next to nothing."""
_ZSTD_WINDOW = 8 * 1024 * 1024
"""The memory that RFC 8878 asks of every decoder; a frame that wants more is refused."""


class ClientGone(Exception):
    """The client hung up before its request was complete; nobody waits for an answer."""


class Inflater(Protocol):
    """What zlib's and zstandard's decompression objects have in common."""

    @property
    def eof(self) -> bool: ...

    @property
    def unused_data(self) -> bytes: ...

    def decompress(self, data: memoryview, /) -> bytes: ...


# A slice of compressed input is what memory is bounded by: deflate makes at most 1032 bytes of
# one, zstd a block of 128 KB of four. Both give 4 MB a slice at the worst.
_CODINGS: Mapping[bytes, tuple[Callable[[], Inflater], int]] = {
    b"gzip": (lambda: zlib.decompressobj(wbits=31), 4096),
    b"x-gzip": (lambda: zlib.decompressobj(wbits=31), 4096),
    b"zstd": (
        lambda: zstandard.ZstdDecompressor(max_window_size=_ZSTD_WINDOW).decompressobj(),
        128,
    ),
}


async def read_body(
    headers: dict[bytes, bytes], receive: Receive, largest: int, timeout: float
) -> bytes:
    """The whole body, inflated when it is gzip or zstd.

    Raises TooLarge past `largest` bytes, compressed or not, UnsupportedMedia for another coding,
    RequestTimeout when it is not complete after `timeout` seconds, InvalidInput when it does not
    inflate or is not what `Content-Digest` says, and ClientGone.
    """
    coding = _coding(headers)
    _check_announced(headers, largest)
    body = await _received(receive, largest, timeout)
    if (digest := headers.get(b"content-digest")) is not None:
        _check_digest(digest, body)
    return body if coding is None else _inflate(body, *coding, largest)


def content_type(headers: dict[bytes, bytes], *allowed: bytes) -> bytes:
    """The media type of the body; without a header the first of those allowed.

    Raises UnsupportedMedia for any other, and for a charset that is not UTF-8.
    """
    named, _, parameters = headers.get(b"content-type", allowed[0]).lower().partition(b";")
    kind = named.strip()
    if kind not in allowed:
        raise UnsupportedMedia(f"send the body as {b' or '.join(allowed).decode()}", "content-type")
    if b"charset" in parameters and b"utf-8" not in parameters and b"utf8" not in parameters:
        raise UnsupportedMedia("send the body in UTF-8", "content-type")
    return kind


def _coding(headers: dict[bytes, bytes]) -> tuple[Callable[[], Inflater], int] | None:
    named = headers.get(b"content-encoding")
    if named is None or (name := named.strip().lower()) in (b"", b"identity"):
        return None
    if name not in _CODINGS:
        raise UnsupportedMedia("send the body plain, or as gzip or zstd", "content-encoding")
    return _CODINGS[name]


def _check_announced(headers: dict[bytes, bytes], largest: int) -> None:
    announced = headers.get(b"content-length", b"")
    if announced.isdigit() and int(announced[:20]) > largest:
        raise TooLarge(f"the body may have at most {largest} bytes")


def _check_digest(said: bytes, body: bytes) -> None:
    """Of the digests that RFC 9530 has, SHA-256 is checked; others are left alone, as it allows."""
    for digest in _SHA256_NAMED.findall(said):
        if digest.strip() != b":%b:" % b64encode(sha256(body).digest()):
            raise InvalidInput("the body is not what content-digest says", "content-digest")


async def _received(receive: Receive, largest: int, timeout: float) -> bytes:
    try:
        async with asyncio.timeout(timeout):
            message: Any = await receive()
            if message["type"] == "http.request" and not message.get("more_body"):
                return _bounded(message.get("body", b""), largest)
            return await _rest(message, receive, largest)
    except TimeoutError:
        raise RequestTimeout(f"the body was not complete after {timeout:g} seconds") from None


async def _rest(message: Any, receive: Receive, largest: int) -> bytes:
    body = bytearray()
    while message["type"] == "http.request":
        body += message.get("body", b"")
        if not message.get("more_body") or len(body) > largest:
            return _bounded(bytes(body), largest)
        message = await receive()
    raise ClientGone


def _bounded(body: bytes, largest: int) -> bytes:
    if len(body) > largest:
        raise TooLarge(f"the body may have at most {largest} bytes")
    return body


def _inflate(body: bytes, inflater: Callable[[], Inflater], step: int, largest: int) -> bytes:
    inflated = bytearray()
    rest = memoryview(body)
    for _ in range(_MOST_MEMBERS):
        rest = rest[_inflate_member(inflater(), rest, step, inflated, largest) :]
        if not rest:
            return bytes(inflated)
    raise InvalidInput(f"the compressed body has more than {_MOST_MEMBERS} parts")


def _inflate_member(
    member: Inflater, rest: memoryview, step: int, inflated: bytearray, largest: int
) -> int:
    """Append what the first member of `rest` inflates to; how many bytes it took."""
    for start in range(0, len(rest), step):
        piece = rest[start : start + step]
        try:
            inflated += member.decompress(piece)
        except (zlib.error, zstandard.ZstdError) as error:
            raise InvalidInput(f"the body does not inflate: {error}") from None
        if len(inflated) > largest:
            raise TooLarge(f"the body may have at most {largest} bytes when inflated")
        if member.eof:
            return start + len(piece) - len(member.unused_data)
    raise InvalidInput("the compressed body ends too early")
