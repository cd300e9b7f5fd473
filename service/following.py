"""How a process that does not write learns how far the store is."""

import asyncio
from typing import Protocol

from service.errors import HeadraceError
from service.storage.mark import Mark
from service.telemetry import log

_PAUSE = 0.5


class Followed(Protocol):
    """A store whose progress another process moves."""

    async def keep_up(self, mark: Mark) -> None:
        """Advance the mark as the other process stores; until cancelled."""
        ...


class Following:
    """Keeps a mark where the store is, until closed."""

    def __init__(self, store: Followed, mark: Mark) -> None:
        self._store = store
        self._mark = mark
        self.works = True
        """False while it cannot be learnt how far the store is."""
        self._task = asyncio.create_task(self._follow(), name="following")

    async def close(self) -> None:
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)

    async def _follow(self) -> None:
        while True:
            try:
                await self._store.keep_up(self._mark)
            except (HeadraceError, OSError) as error:
                if self.works:
                    log().warning("following.failed", reason=str(error) or type(error).__name__)
                self.works = False
            await asyncio.sleep(_PAUSE)
            self.works = True
