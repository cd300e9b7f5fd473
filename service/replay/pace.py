"""When a parcel may leave."""

from service.replay.parcels import Parcel


class Pace:
    """The timetable of one pass: at most `rate` events a second, and never ahead of the recorded
    times run `speed` times as fast. `start` and its answers are seconds on one clock."""

    def __init__(self, start: float, rate: float | None, speed: float | None) -> None:
        self._start = start
        self._rate = rate
        self._speed = speed
        self._events = 0
        self._first: int | None = None

    def due(self, parcel: Parcel) -> float:
        """When the parcel that comes next may leave."""
        due = self._start
        if self._rate:
            due += self._events / self._rate
        if self._speed:
            self._first = parcel.first if self._first is None else self._first
            due = max(due, self._start + (parcel.last - self._first) / 1000 / self._speed)
        self._events += len(parcel.events)
        return due
