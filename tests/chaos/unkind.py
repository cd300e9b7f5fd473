"""A proxy in front of a service that does to clients what networks and busy servers do.

It forwards a request and loses the answer, breaks off before it forwards, breaks off within the
answer, or says 429 or 503 itself. Requests and answers have a Content-Length.
"""

import asyncio
import random
import re
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field

_LENGTH = re.compile(rb"content-length: (\d+)", re.I)
_WAYS = {"forward": 5, "lose the answer": 1, "reset": 1, "break off": 1, "429": 1, "503": 1}
_BUSY = "HTTP/1.1 {} Busy\r\nretry-after: 0\r\ncontent-length: 2\r\nconnection: close\r\n\r\n{{}}"


@dataclass
class Unkind:
    """What it did, by its name."""

    port: int
    dice: random.Random
    done: Counter[str] = field(default_factory=Counter)
    url: str = ""
    serving: set[asyncio.Task[None]] = field(default_factory=set)

    def take(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.create_task(self._serve(reader, writer))
        self.serving.add(task)
        task.add_done_callback(self.serving.discard)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        way = "reset"  # of a client that is killed while it asks
        with suppress(OSError, EOFError):
            request = await _message(reader)
            way = self.dice.choices(list(_WAYS), list(_WAYS.values()))[0]
            self.done[way] += 1
            if way in {"429", "503"}:
                writer.write(_BUSY.format(way).encode())
            elif way != "reset":
                answer = await self._forward(request)
                kept = {"forward": len(answer), "break off": len(answer) // 2}.get(way, 0)
                writer.write(answer[:kept])
            await writer.drain()
        if way in {"reset", "lose the answer"}:
            writer.transport.abort()
        writer.close()

    async def _forward(self, request: bytes) -> bytes:
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        try:
            writer.write(request.replace(b"\r\n", b"\r\nconnection: close\r\n", 1))
            return await _message(reader)
        finally:
            writer.close()


async def _message(reader: asyncio.StreamReader) -> bytes:
    head = await reader.readuntil(b"\r\n\r\n")
    found = _LENGTH.search(head)
    return head + await reader.readexactly(int(found[1]) if found else 0)


@asynccontextmanager
async def unkind(port: int, dice: random.Random) -> AsyncIterator[Unkind]:
    """In front of what listens on `port`."""
    proxy = Unkind(port, dice)
    server = await asyncio.start_server(proxy.take, "127.0.0.1", 0)
    async with server:
        proxy.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        yield proxy
    await asyncio.gather(*proxy.serving)
