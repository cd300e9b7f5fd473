"""Where events wait until the service has taken them: in memory, or on disk (`spool`)."""

from collections import deque
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Parcel:
    """A batch that no event is added to any more. Numbers rise."""

    number: int
    bytes: int


class Buffer(Protocol):
    """Events in the order in which they came: sealed parcels, and an open one behind them.

    What is held counts until it is removed. Used from one event loop; only `sync` may run beside.
    """

    held: int
    """Bytes of all that waits."""
    open_events: int
    open_bytes: int
    newest: int
    """The number of the parcel sealed last."""

    def add(self, event: bytes) -> None:
        """Put an event into the open parcel. Raises OSError, and then nothing was put."""
        ...

    def seal(self) -> None:
        """Close the open parcel, if there is anything in it."""
        ...

    def take(self) -> Parcel | None:
        """The oldest parcel that was not taken yet."""
        ...

    def read(self, parcel: Parcel) -> list[bytes]:
        """Its events."""
        ...

    def remove(self, parcel: Parcel) -> None:
        """Let go of a parcel: its events were taken."""
        ...

    def oldest(self) -> int | None:
        """The number of the oldest parcel held, sealed or open."""
        ...

    def is_dirty(self) -> bool:
        """Whether `sync` has something to do before what was added is as safe as was asked for."""
        ...

    def sync(self) -> None:
        """Make it so. May take long; never runs twice at once."""
        ...

    def close(self) -> None:
        """Let go of everything but what is on disk."""
        ...


class MemoryBuffer:
    """Gone with the process."""

    def __init__(self) -> None:
        self.held = 0
        self.open_events = 0
        self.open_bytes = 0
        self.newest = 0
        self._open: list[bytes] = []
        self._sealed: deque[Parcel] = deque()
        self._events: dict[int, list[bytes]] = {}

    def add(self, event: bytes) -> None:
        self._open.append(event)
        self.open_events += 1
        self.open_bytes += len(event)
        self.held += len(event)

    def seal(self) -> None:
        if not self._open:
            return
        self.newest += 1
        self._sealed.append(Parcel(self.newest, self.open_bytes))
        self._events[self.newest] = self._open
        self._open, self.open_events, self.open_bytes = [], 0, 0

    def take(self) -> Parcel | None:
        return self._sealed.popleft() if self._sealed else None

    def read(self, parcel: Parcel) -> list[bytes]:
        return self._events[parcel.number]

    def remove(self, parcel: Parcel) -> None:
        del self._events[parcel.number]
        self.held -= parcel.bytes

    def oldest(self) -> int | None:
        if self._events:
            return next(iter(self._events))
        return self.newest + 1 if self._open else None

    def is_dirty(self) -> bool:
        return False

    def sync(self) -> None:
        """Nothing to do."""

    def close(self) -> None:
        self._open, self._events = [], {}
        self._sealed.clear()
