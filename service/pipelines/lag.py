"""How far the targets of a pipeline are behind its bus."""

import time

from service.pipelines.bus import Bus
from service.stream.journal import Extent


class Lag:
    """Of one pipeline, as it was measured last: of its subscription that is furthest behind."""

    def __init__(self) -> None:
        self.messages = 0
        """Frames of the bus that are not done."""
        self.bus_share = 0.0
        """Of the room of the bus, 0 to 1."""
        self._done = -1
        self._since = 0

    @property
    def seconds(self) -> float:
        """How long the oldest frame that is not done has waited; 0 when there is none."""
        return max(0.0, time.time() - self._since / 1000) if self._since else 0.0

    async def measure(self, bus: Bus, extent: Extent, done: int) -> None:
        """`done`: the frame up to which every target has everything. Raises ConnectionError."""
        self.messages = max(0, extent.last - done)
        self.bus_share = extent.bytes / bus.max_bytes
        if not self.messages:
            self._done, self._since = -1, 0
        elif done != self._done:
            waiting = await bus.read(done, 1)
            self._done, self._since = done, waiting[0].time if waiting else 0
