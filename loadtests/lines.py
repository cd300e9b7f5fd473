"""Connections of a load generator, each with at most one request under way."""

import asyncio
import re
from typing import cast

_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)")
_CHUNKED = b"\r\ntransfer-encoding: chunked"
_LAST_CHUNK = b"\r\n0\r\n\r\n"


class Line(asyncio.Protocol):
    """One connection over HTTP/1.1. Who uses it says what becomes of answers and of its end."""

    def __init__(self) -> None:
        self._received = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)

    def write(self, request: bytes | bytearray) -> None:
        self._transport.write(request)

    def data_received(self, data: bytes) -> None:
        self._received = received = self._received + data if self._received else data
        end = received.find(b"\r\n\r\n")
        if end >= 0 and _is_whole(received, end):
            self._received = b""
            self.answered(received, end)

    def connection_lost(self, error: Exception | None) -> None:
        self._received = b""
        self.lost()

    def close(self) -> None:
        self._transport.abort()

    def answered(self, answer: bytes, end: int) -> None:
        """Take a whole answer; `end` is where its head ends."""
        raise NotImplementedError

    def lost(self) -> None:
        """Take that the connection is no more."""
        raise NotImplementedError


def body(answer: bytes, end: int) -> bytes:
    """What stands behind the head of a whole answer."""
    content = answer[end + 4 :]
    return _joined(content) if _CHUNKED in answer[:end].lower() else content


def _is_whole(answer: bytes, end: int) -> bool:
    head = answer[:end].lower()
    if found := _LENGTH.search(head):
        return len(answer) >= end + 4 + int(found[1])
    return _CHUNKED not in head or answer.endswith(_LAST_CHUNK)


def _joined(content: bytes) -> bytes:
    """The chunks of a body without their lengths."""
    parts = []
    while content:
        size, _, rest = content.partition(b"\r\n")
        length = int(size.partition(b";")[0], 16)
        parts.append(rest[:length])
        content = rest[length + 2 :] if length else b""
    return b"".join(parts)
