"""The near net: which ids were ingested lately, as 64-bit digests, and where each was seen first.

Hash tables in NumPy, filled one after the other; when the last of them is full the oldest is let
go, so memory is bounded and at least the promised number of ids is remembered. About 24 bytes an
id; a look-up of 10,000 ids takes a millisecond or two. A hit is a suspicion only: the writer
confirms it by the full id.
"""

import asyncio
from collections import deque

import numpy as np
from numpy.typing import NDArray

from service.storage.protocol import EventStore, Statement

Keys = NDArray[np.uint64]
Positions = NDArray[np.uint64]

GENERATIONS = 3
WINDOW_ROWS = 500_000
"""Rows read from the store at a time when the net is filled."""
_LOAD = 0.8
_SLOTS = 16
_WIDEST = 2**32 - 1
"""Positions in one table are kept as 32-bit numbers."""


class NearNet:
    """Remembers the positions of at least the last `ids` distinct digests.

    One thread writes; another may look up meanwhile and misses at worst what is being added.
    """

    def __init__(self, ids: int) -> None:
        self.ids = ids
        self._capacity = max(1, -(-ids // (GENERATIONS - 1)))
        self.clear()

    def clear(self) -> None:
        """Forget everything, as new."""
        self._tables: deque[_Table] = deque([_Table(self._capacity)])
        self.evicted_until: int | None = None
        """The latest event time (ms) of all ids it once held and no longer does; None when it
        never forgot any. A repeat of a forgotten event cannot be later than this."""

    def __len__(self) -> int:
        return sum(table.used for table in self._tables)

    def find(self, keys: Keys) -> Positions:
        """Where each key was seen first; 0 for a key that is not remembered."""
        found = np.zeros(len(keys), np.uint64)
        missing = np.arange(len(keys))
        for table in list(self._tables):
            if not len(missing):
                break
            found[missing] = table.find(keys[missing])
            missing = missing[found[missing] == 0]
        return found

    def add(self, keys: Keys, positions: Positions, times: NDArray[np.int64]) -> None:
        """Remember keys that are distinct and not remembered yet, in stream order."""
        start = 0
        while start < len(keys):
            table = self._tables[0]
            end = start + min(self._capacity - table.used, table.reach(positions[start:]))
            if end == start:
                self._turn()
            else:
                table.add(keys[start:end], positions[start:end], times[start:end])
                start = end

    def forget_before(self, latest: int | None) -> None:
        """Take note that ids up to event time `latest` are stored but not remembered here."""
        if latest is not None and (self.evicted_until is None or latest > self.evicted_until):
            self.evicted_until = latest

    def _turn(self) -> None:
        if len(self._tables) == GENERATIONS:
            self.forget_before(self._tables.pop().latest)
        self._tables.appendleft(_Table(self._capacity))


class _Table:
    """Buckets of sixteen keys. A key stands in the bucket its high bits name, or, where that is
    full, in the next that is not."""

    def __init__(self, capacity: int) -> None:
        self._buckets = int(capacity / _LOAD / _SLOTS) + 1
        self._keys = np.zeros((self._buckets, _SLOTS), np.uint64)
        self._numbers = np.zeros((self._buckets, _SLOTS), np.uint32)
        self._filled = np.zeros(self._buckets, np.int64)
        self._numbering = _Numbering()
        self.used = 0
        self.latest: int | None = None

    def reach(self, positions: Positions) -> int:
        """How many of these ascending positions this table can take in one `add`."""
        return self._numbering.reach(positions)

    def find(self, keys: Keys) -> Positions:
        found = np.zeros(len(keys), np.uint64)
        if not self.used:
            return found
        active, buckets = np.arange(len(keys)), self._bucket_of(keys)
        while len(active):
            same = self._keys[buckets] == keys[active, None]
            slots = same.argmax(axis=1)
            hit = same[np.arange(len(active)), slots]
            if hit.any():
                numbers = self._numbers[buckets[hit], slots[hit]]
                found[active[hit]] = self._numbering.positions(numbers)
            further = ~hit & (self._filled[buckets] == _SLOTS)
            active, buckets = active[further], self._next(buckets[further])
        return found

    def add(self, keys: Keys, positions: Positions, times: NDArray[np.int64]) -> None:
        numbers = self._numbering.numbers(positions)
        active, buckets = np.arange(len(keys)), self._bucket_of(keys)
        while len(active):
            order = np.argsort(buckets, kind="stable")
            active, buckets = active[order], buckets[order]
            rank = np.arange(len(active)) - np.searchsorted(buckets, buckets)
            slots = self._filled[buckets] + rank
            fits = slots < _SLOTS
            here, there = buckets[fits], slots[fits]
            self._numbers[here, there] = numbers[active[fits]]
            self._keys[here, there] = keys[active[fits]]
            np.maximum.at(self._filled, here, there + 1)
            active, buckets = active[~fits], self._next(buckets[~fits])
        self.used += len(keys)
        latest = int(times.max())
        self.latest = latest if self.latest is None else max(self.latest, latest)

    def _bucket_of(self, keys: Keys) -> NDArray[np.int64]:
        high = keys >> np.uint64(32)
        return (high * np.uint64(self._buckets) >> np.uint64(32)).astype(np.int64)

    def _next(self, buckets: NDArray[np.int64]) -> NDArray[np.int64]:
        return (buckets + 1) % self._buckets


class _Numbering:
    """Positions as 32-bit numbers, and back. Positions ascend, and leap at a new epoch: each leap
    begins another run of consecutive numbers."""

    def __init__(self) -> None:
        self._firsts = np.zeros(0, np.uint64)
        self._begins = np.zeros(0, np.uint64)
        self._last = -1

    def reach(self, positions: Positions) -> int:
        """How many of these ascending positions belong to one run, begun here if need be."""
        if not len(self._firsts) or int(positions[0]) - int(self._firsts[-1]) > self._room():
            if self._last >= _WIDEST:
                return 0
            self._firsts = np.append(self._firsts, positions[0])
            self._begins = np.append(self._begins, np.uint64(self._last + 1))
        widest = self._firsts[-1] + np.uint64(self._room())
        return int(np.searchsorted(positions, widest, side="right"))

    def numbers(self, positions: Positions) -> NDArray[np.uint32]:
        """The numbers of positions that `reach` has allowed."""
        wide = positions - self._firsts[-1] + self._begins[-1]
        numbers: NDArray[np.uint32] = wide.astype(np.uint32)
        self._last = max(self._last, int(numbers[-1]))
        return numbers

    def positions(self, numbers: NDArray[np.uint32]) -> Positions:
        wide = numbers.astype(np.uint64)
        run = np.searchsorted(self._begins, wide, side="right") - 1
        return wide - self._begins[run] + self._firsts[run]

    def _room(self) -> int:
        """How far from the first position of the last run numbers reach."""
        return _WIDEST - int(self._begins[-1])


async def remember_stored(
    net: NearNet, store: EventStore, position: int, after: int = 0, window: int = WINDOW_ROWS
) -> None:
    """Add to the net the ids that the store holds up to `position`, oldest first.

    It has those up to `after` already; without that it is filled anew. Reads about `window` rows
    at a time, and hardly more of them than the net remembers.
    """
    if not after:
        net.clear()
    windows = await _newest_windows(store, (after, position), net.ids, window)
    for begin, end in windows:
        [ids] = await store.fetch(Statement("ids_between", {"after": begin, "until": end}))
        keys, times = ids["event_key"].to_numpy(), ids["timestamp"].to_numpy()
        await asyncio.to_thread(net.add, keys, ids["position"].to_numpy(), times)
    if windows and windows[0][0] > after:
        [latest] = await store.fetch(Statement("latest_time_until", {"until": windows[0][0]}))
        net.forget_before(latest["latest"][0].as_py())


async def _newest_windows(
    store: EventStore, between: tuple[int, int], ids: int, window: int
) -> list[tuple[int, int]]:
    """Ranges of positions `(after, until]` that hold the newest ids, in stream order."""
    undecided = [between]
    windows: list[tuple[int, int]] = []
    found = 0
    while undecided and found < ids:
        after, until = undecided.pop()
        values = {"after": after, "until": until}
        [counted] = await store.fetch(Statement("rows_between", values))
        rows = counted["rows"][0].as_py()
        if rows > window and until - after > 1:
            middle = (after + until) // 2
            undecided += [(after, middle), (middle, until)]
        elif rows:
            windows.append((after, until))
            found += rows
    return windows[::-1]
