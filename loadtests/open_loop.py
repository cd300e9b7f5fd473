"""Open loop: requests are due at fixed moments, whatever becomes of the answers.

What finds no free connection waits for one, and its latency counts from the moment it was due, so
that a stalled service is not measured by the requests it held up (coordinated omission).
"""

import asyncio
import time
from collections import deque
from collections.abc import Callable, Iterable
from typing import Generic, TypeVar

Way = TypeVar("Way")
Item = TypeVar("Item")


class OpenLoop(Generic[Way, Item]):
    """What is due, and the free connections to send it over."""

    def __init__(self, send: Callable[[Way, Item], None]) -> None:
        self._send = send
        self._free: deque[Way] = deque()
        self._overdue: deque[Item] = deque()

    @property
    def overdue(self) -> int:
        """How many wait for a connection."""
        return len(self._overdue)

    async def keep_time(self, timetable: Iterable[tuple[float, Item]]) -> None:
        """Send each item when it is due, by the clock `time.monotonic`."""
        for due, item in timetable:
            await asyncio.sleep(max(0.0, due - time.monotonic()))
            self.put(item)

    def put(self, item: Item) -> None:
        """Send what is due now."""
        if self._free:
            self._send(self._free.popleft(), item)
        else:
            self._overdue.append(item)

    def freed(self, way: Way) -> None:
        """A connection that can carry the next request."""
        if self._overdue:
            self._send(way, self._overdue.popleft())
        else:
            self._free.append(way)

    def forget(self, way: Way) -> None:
        """Send nothing more over this one."""
        if way in self._free:
            self._free.remove(way)
