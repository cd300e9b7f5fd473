"""How far the event store has read the stream, for those who wait until something is counted."""

import asyncio

from service.storage.protocol import Progress


class Mark:
    """The last known progress of the store. The writer advances it; readers wait on it."""

    def __init__(self, progress: Progress | None = None) -> None:
        self.progress = progress or Progress()
        self._moved = asyncio.Event()

    def advance(self, progress: Progress) -> None:
        """Say that everything up to `progress` is stored; wakes whoever waits for it."""
        moved, self._moved = self._moved, asyncio.Event()
        self.progress = progress
        moved.set()

    async def wait(self, position: int, timeout: float) -> bool:
        """True once the store's progress has reached `position`; False after `timeout` seconds."""
        try:
            async with asyncio.timeout(timeout):
                while self.progress.position < position:
                    await self._moved.wait()
        except TimeoutError:
            return False
        return True
