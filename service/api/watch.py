"""Looks again and again whether those who listen still may, and ends them when not."""

import asyncio
from collections.abc import Awaitable, Callable, Hashable
from contextvars import Context
from dataclasses import dataclass, field

from service.errors import Forbidden
from service.query.listening import Listener

PAUSE = 0.3
"""Seconds between two looks."""


@dataclass(frozen=True, slots=True)
class Right:
    """Why somebody may listen: `look` gives the tenant that he sees now, or raises why not."""

    credential: str
    """Its id, looked at once for all who came with it; empty for strangers."""
    tenant: str
    look: Callable[[], Awaitable[str]]


@dataclass(slots=True)
class _Watched:
    right: Right
    listeners: set[Listener] = field(default_factory=set)


class Watch:
    """Ends those who listen when their right does. Works only while there is somebody."""

    def __init__(self, pause: float = PAUSE) -> None:
        self._pause = pause
        self._watched: dict[Hashable, _Watched] = {}
        self._looking: asyncio.Task[None] | None = None

    def add(self, listener: Listener, right: Right) -> None:
        """The listener is there by this right; `remove` must follow."""
        key = (right.credential, right.tenant)
        self._watched.setdefault(key, _Watched(right)).listeners.add(listener)
        if self._looking is None or self._looking.done():
            self._looking = asyncio.create_task(self._look(), name="watch", context=Context())

    def remove(self, listener: Listener, right: Right) -> None:
        """The listener has gone."""
        key = (right.credential, right.tenant)
        watched = self._watched[key]
        watched.listeners.discard(listener)
        if not watched.listeners:
            del self._watched[key]

    async def _look(self) -> None:
        while self._watched:
            await asyncio.sleep(self._pause)
            for watched in list(self._watched.values()):
                if error := await _lost(watched.right):
                    for listener in watched.listeners:
                        listener.end(error)


async def _lost(right: Right) -> Exception | None:
    try:
        if await right.look() == right.tenant:
            return None
    except Exception as error:
        return error
    return Forbidden("this credential is for another environment now: connect again")
