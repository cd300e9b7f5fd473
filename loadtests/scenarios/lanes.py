"""The connections of a run, over which requests are sent when they are due."""

import asyncio
import ssl
import time
from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import SplitResult

from loadtests.lines import Line
from loadtests.open_loop import OpenLoop
from loadtests.scenarios.traffic import Ask, Batch
from service.client.connection import backoff

SILENCE = 30.0
"""Seconds after which a request counts as lost."""


@dataclass(slots=True)
class Request:
    """What was asked for by a batch or a question, on its way."""

    what: Batch | Ask
    content: bytes
    tries: int = 0
    written: float = 0.0


Heard = Callable[[Request, bytes, int], None]
"""Takes a request with its answer, and where the answer's head ends; empty if there was none."""


class Way(Line):
    """A connection of a lane."""

    def __init__(self, lane: "Lane") -> None:
        super().__init__()
        self._lane = lane
        self.request: Request | None = None

    def answered(self, answer: bytes, end: int) -> None:
        request, self.request = self.request, None
        self._lane.freed(self)
        if request:
            self._lane.heard(request, answer, end)

    def lost(self) -> None:
        request, self.request = self.request, None
        self._lane.lost(self)
        if request:
            self._lane.heard(request, b"", 0)


class Lane:
    """Connections for one kind of request; those that are lost are made anew."""

    def __init__(self, place: SplitResult, heard: Heard) -> None:
        self._place = place
        self.heard = heard
        self.loop: OpenLoop[Way, Request] = OpenLoop(self._send)
        self._ways: set[Way] = set()
        self._making: set[asyncio.Task[None]] = set()
        self._closed = False

    async def open(self, count: int) -> None:
        await asyncio.gather(*(self._connect() for _ in range(count)))

    def freed(self, way: Way) -> None:
        self.loop.freed(way)

    def lost(self, way: Way) -> None:
        self._ways.discard(way)
        self.loop.forget(way)
        if not self._closed:
            task = asyncio.create_task(self._connect_again())
            self._making.add(task)
            task.add_done_callback(self._making.discard)

    def end_silent_ones(self) -> None:
        """Give up what has been under way for too long."""
        now = time.monotonic()
        for way in list(self._ways):
            if way.request and now - way.request.written > SILENCE:
                way.close()

    def close(self) -> None:
        self._closed = True
        for task in self._making:
            task.cancel()
        for way in self._ways:
            way.close()

    async def _connect(self) -> None:
        place = self._place
        secure = ssl.create_default_context() if place.scheme == "https" else None
        port = place.port or (443 if secure else 80)
        loop = asyncio.get_running_loop()
        _, way = await loop.create_connection(
            lambda: Way(self), place.hostname or "", port, ssl=secure
        )
        self._ways.add(way)
        self.freed(way)

    async def _connect_again(self) -> None:
        tries = 0
        while not self._closed:
            try:
                await self._connect()
            except OSError:
                tries += 1
                await asyncio.sleep(backoff(tries))
            else:
                return

    def _send(self, way: Way, request: Request) -> None:
        request.tries += 1
        request.written = time.monotonic()
        way.request = request
        way.write(request.content)
