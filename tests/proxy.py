"""A network between two parties that does what networks do: delay, cut, go silent, lose answers."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress


class Proxy:
    """Forwards TCP to a port of this machine. Its fields may be changed at any time."""

    def __init__(self, to: int) -> None:
        self.port = 0
        self.latency = 0.0
        """Seconds that each piece takes, either way."""
        self.loses_requests = False
        """Half open: it takes what it is sent, and nobody ever gets it."""
        self.loses_answers = False
        """Requests arrive, answers do not."""
        self.loses_answers_from: bytes | None = None
        """Answers are lost from the request on that has these bytes in it."""
        self.refuses = False
        """New connections are closed at once."""
        self._left: int | None = None
        self._to = to
        self._tasks: set[asyncio.Task[None]] = set()

    def cut(self) -> None:
        """End all connections that there are."""
        for task in self._tasks:
            task.cancel()

    def cut_after(self, size: int) -> None:
        """End all connections once so many more bytes of requests came."""
        self._left = size

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self.refuses:
            writer.close()
            return
        task = asyncio.current_task()
        assert task
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        with suppress(OSError, asyncio.CancelledError):
            await self._join(reader, writer)
        writer.transport.abort()

    async def _join(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there, back = await asyncio.open_connection("127.0.0.1", self._to)
        try:
            forth = self._carry(reader, back, "loses_requests")
            await asyncio.gather(forth, self._carry(there, writer, "loses_answers"))
        finally:
            back.transport.abort()

    async def _carry(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, lost: str
    ) -> None:
        while piece := await reader.read(65536):
            await asyncio.sleep(self.latency)
            if lost == "loses_requests":
                self._look_at(piece)
            if not getattr(self, lost):
                writer.write(piece)
                await writer.drain()
        raise ConnectionResetError("one side has hung up")

    def heal(self) -> None:
        """Do nothing bad any more, to new connections."""
        self.loses_requests = self.loses_answers = self.refuses = False
        self.loses_answers_from = None
        self.latency = 0.0
        self.cut()

    def _look_at(self, piece: bytes) -> None:
        if self.loses_answers_from is not None and self.loses_answers_from in piece:
            self.loses_answers = True
        if self._left is not None:
            self._left -= len(piece)
            if self._left < 0:
                self._left = None
                self.cut()

    async def end(self) -> None:
        self.cut()
        if self._tasks:
            await asyncio.wait(self._tasks)


@asynccontextmanager
async def a_proxy(to: int) -> AsyncIterator[Proxy]:
    """In front of what listens on the port `to`."""
    proxy = Proxy(to)
    server = await asyncio.start_server(proxy.serve, "127.0.0.1", 0)
    proxy.port = server.sockets[0].getsockname()[1]
    try:
        yield proxy
    finally:
        server.close()
        await proxy.end()
        await server.wait_closed()
