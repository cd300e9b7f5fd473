"""From the source to the bus: read, append behind what was read before, go on.

The cursor travels with the messages, so whatever dies, the next one reads on after what the bus
really has. A full bus stops the source; nothing is given up for it.
"""

import asyncio
from collections.abc import Awaitable, Callable

from service import crash
from service.errors import SourceUnavailable, TooLarge
from service.pipelines.bus import Bus, Frame, Head
from service.pipelines.connectors.protocol import Source
from service.pipelines.model import SourceMessage, Taken
from service.pipelines.trying import Stopped, Trying, closed
from service.pipelines.watching import Watch
from service.stream.bucket import Moved
from service.stream.journal import JournalFull

WAIT = 1.0
"""Seconds that a source may wait for the first message."""
READ_TIMEOUT = 60.0
MOST = 5_000
"""Messages of a frame, where they are small."""
_FIRST = 500
_FULL_PAUSE = 0.5


class Inbound:
    """Carries one source. `open_source` may be called again after a failure."""

    def __init__(
        self, open_source: Callable[[], Awaitable[Source]], bus: Bus, watch: Watch, trying: Trying
    ) -> None:
        self._open_source = open_source
        self._bus = bus
        self._watch = watch
        self._trying = trying
        self._source: Source | None = None
        self._head = Head(0, None)
        self._most = _FIRST

    async def run(self) -> None:
        """Read until told to stop. Raises ConnectorBroken when the source will not work."""
        try:
            self._head = await self._trying.until_there(self._bus.head)
            while not self._trying.stopped:
                taken = await self._trying.until_done(self._read, SourceUnavailable)
                if taken.messages or taken.cursor != self._head.cursor:
                    await self._append(taken)
        except Stopped:
            return
        finally:
            await self._close()

    async def _read(self) -> Taken:
        try:
            async with asyncio.timeout(READ_TIMEOUT):
                if self._source is None:
                    self._source = await self._open_source()
                    await self._source.ping()
                    self._watch.opened("source")
                return await self._source.read(self._head.cursor, self._most, WAIT)
        except (SourceUnavailable, OSError, TimeoutError) as error:
            await self._close()
            raise SourceUnavailable(str(error) or type(error).__name__) from error

    async def _append(self, taken: Taken) -> None:
        """Append what was read; where it was not, the next reading goes on after the bus's end."""
        crash.point("pipeline.before_append")
        try:
            sequence = await self._bus.put(Frame(taken.messages, taken.cursor), self._head.sequence)
        except TooLarge as error:
            await self._take_less(taken, str(error))
        except JournalFull:
            self._watch.full()
            await self._trying.sleep(_FULL_PAUSE)
        except (Moved, ConnectionError):
            self._head = await self._trying.until_there(self._bus.head)
        else:
            crash.point("pipeline.after_append")
            self._head = Head(sequence, taken.cursor)
            self._most = min(MOST, max(self._most, len(taken.messages) * 2))
            self._watch.took(len(taken.messages))

    async def _take_less(self, taken: Taken, reason: str) -> None:
        """Read fewer at once; a single message that the bus cannot carry is put aside."""
        if len(taken.messages) > 1:
            self._most = len(taken.messages) // 2
            return
        aside = SourceMessage({}, metadata={"too_large": reason})
        self._watch.say("error", f"a message was put aside: {reason}")
        await self._append(Taken([aside], taken.cursor))

    async def _close(self) -> None:
        source, self._source = self._source, None
        if source:
            await closed(source)
