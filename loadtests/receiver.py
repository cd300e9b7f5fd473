"""`python -m loadtests.receiver [SECONDS:LATENCY:FAILING …]`: an API that takes what it is sent.

Prints its port, then answers 201 to whatever comes; in phases, of so many seconds each, after so
many seconds, and with 500 to such a share. The first phase begins with the first request.
"""

import asyncio
import random
import sys
import time
from collections.abc import Sequence
from typing import Any

Phase = tuple[float, float, float]

_FINE = b"HTTP/1.1 201 Created\r\ncontent-length: 2\r\ncontent-type: application/json\r\n\r\n{}"
_BROKEN = b"HTTP/1.1 500 Oops\r\ncontent-length: 0\r\n\r\n"


class Receiver(asyncio.Protocol):
    """One connection; requests that wait for an answer come one by one."""

    began = 0.0

    def __init__(self, phases: Sequence[Phase]) -> None:
        self._phases = phases
        self._held = bytearray()

    def connection_made(self, transport: Any) -> None:
        self._transport: asyncio.Transport = transport

    def data_received(self, data: bytes) -> None:
        self._held += data
        end = self._held.find(b"\r\n\r\n")
        if end < 0:
            return
        head = bytes(self._held[:end]).lower()
        place = head.find(b"content-length:")
        size = int(head[place + 15 :].split(b"\r\n", 1)[0]) if place >= 0 else 0
        if len(self._held) >= end + 4 + size:
            self._held.clear()
            self._answer()

    def _answer(self) -> None:
        Receiver.began = Receiver.began or time.monotonic()
        latency, failing = self._now()
        answer = _BROKEN if random.random() < failing else _FINE
        asyncio.get_running_loop().call_later(latency, self._transport.write, answer)

    def _now(self) -> tuple[float, float]:
        passed = time.monotonic() - Receiver.began
        for seconds, latency, failing in self._phases:
            if passed < seconds:
                return latency, failing
            passed -= seconds
        return 0.0, 0.0


async def receive(phases: Sequence[Phase]) -> None:
    """Serve until killed."""
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: Receiver(phases), "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


def phases_of(words: Sequence[str]) -> Sequence[Phase]:
    """As they stand in the command's words."""
    numbers = [[float(part) for part in word.split(":")] for word in words]
    return [(seconds, latency, failing) for seconds, latency, failing in numbers]


if __name__ == "__main__":
    asyncio.run(receive(phases_of(sys.argv[1:])))
