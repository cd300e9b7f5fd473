"""A pipeline's lines on their way to its log: taken at once, written one after another, bounded."""

import asyncio
import time
from collections import deque

from service.pipelines.telling import Line, Logs
from service.pipelines.watching import Level
from service.redaction import masked
from service.stream.journal import JournalFull

_MOST_WAITING = 200


class Speaking:
    """The log of one pipeline as its worker writes it. What does not fit is left out."""

    def __init__(self, logs: Logs, pipeline_id: str) -> None:
        self._logs = logs
        self._pipeline_id = pipeline_id
        self._waiting: deque[Line] = deque(maxlen=_MOST_WAITING)
        self._said = asyncio.Event()

    def say(self, level: Level, text: str) -> None:
        self._waiting.append(Line(time.time_ns() // 1_000_000, level, masked(text)))
        self._said.set()

    async def run(self) -> None:
        """Write what is said, for ever."""
        while True:
            await self._said.wait()
            self._said.clear()
            await self.flush()

    async def flush(self) -> None:
        """Write what waits; where the broker is away it is tried again with the next line."""
        while self._waiting:
            line = self._waiting.popleft()
            try:
                await self._logs.write(self._pipeline_id, line)
            except (ConnectionError, JournalFull):
                self._waiting.appendleft(line)
                return
