"""How long to wait between batches: as long as told, or as the API bears it."""

import asyncio
from dataclasses import dataclass

from service.delivery.config import Settings

LONGEST = 2.0
"""Seconds; an adaptive delay grows no further."""
_BASE = 0.1
_SLOW = 2.0
_LOW = 0.8


def adaptive_delay(
    response_time: float, success_rate: float, delay: float = _BASE, base: float = _BASE
) -> float:
    """Seconds to wait before the next batch, after one that was answered like this.

    Answers slower than 2 s double the delay; fewer than 80 % successes make it half as long again;
    it never passes 2 s, or the base if that is longer. An API that is well again halves it, down
    to the base.
    """
    slow, failing = response_time > _SLOW, success_rate < _LOW
    if not (slow or failing):
        return max(base, delay / 2)
    delay *= (2.0 if slow else 1.0) * (1.5 if failing else 1.0)
    return min(delay, max(LONGEST, base))


@dataclass(slots=True)
class _Batch:
    """What was answered since the last batch began."""

    tries: int = 0
    good: int = 0
    seconds: float = 0.0


class Pace:
    """Counts rows into batches and waits between them."""

    def __init__(self, settings: Settings) -> None:
        self._size = settings.batch_size
        self._adaptive = settings.adaptive
        usual = _BASE if settings.adaptive else 0.0
        told = settings.delay_between_batches
        self._base = self.delay = usual if told is None else told
        self._rows = 0
        self._batch = _Batch()

    def note(self, seconds: float, good: bool) -> None:
        """A try was answered, well or not, after so many seconds."""
        self._batch.tries += 1
        self._batch.good += good
        self._batch.seconds += seconds

    async def turn(self, rows: int) -> None:
        """Wait until so many more rows may be sent."""
        if self._rows and self._rows + rows > self._size:
            self._adapt()
            self._rows = 0
            if self.delay:
                await asyncio.sleep(self.delay)
        self._rows += rows

    def _adapt(self) -> None:
        batch, self._batch = self._batch, _Batch()
        if self._adaptive and batch.tries:
            mean, share = batch.seconds / batch.tries, batch.good / batch.tries
            self.delay = adaptive_delay(mean, share, self.delay, self._base)
