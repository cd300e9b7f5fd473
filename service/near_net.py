"""The near net: which ids were ingested lately, as 64-bit digests, and where each was seen first.

Open-addressing hash tables in NumPy, filled one after the other; when the last of them is full the
oldest is emptied, so memory is bounded and at least the promised number of ids is remembered. About
25 bytes an id; a look-up of 10,000 ids takes a millisecond or two. A hit is a suspicion only: the
writer confirms it by the full id.
"""

import asyncio
from collections import deque

import numpy as np
from numpy.typing import NDArray

from service.storage.protocol import EventStore, Statement

Keys = NDArray[np.uint64]
Positions = NDArray[np.uint64]

GENERATIONS = 5
_WINDOW_ROWS = 500_000
"""Rows read from the store at a time when the net is filled."""
_LOAD = 0.6
_WIDEST = 2**32 - 1
"""Positions in one table are kept as 32-bit distances from its first."""


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
            room = self._capacity - table.used
            end = start + min(room, table.reach(positions[start:]))
            if end == start:
                self._turn()
                continue
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
    def __init__(self, capacity: int) -> None:
        slots = 1 << int(np.ceil(np.log2(max(8, capacity / _LOAD))))
        self._mask = np.uint64(slots - 1)
        self._keys = np.zeros(slots, np.uint64)
        self._offsets = np.zeros(slots, np.uint32)
        self._base: int | None = None
        self.used = 0
        self.latest: int | None = None

    def reach(self, positions: Positions) -> int:
        """How many of these ascending positions this table can still express."""
        if self._base is None:
            self._base = int(positions[0])
        return int(np.searchsorted(positions, np.uint64(self._base + _WIDEST), side="right"))

    def find(self, keys: Keys) -> Positions:
        found = np.zeros(len(keys), np.uint64)
        if not self.used:
            return found
        slots = keys & self._mask
        active = np.arange(len(keys))
        while len(active):
            held = self._keys[slots[active]]
            hit = held == keys[active]
            at = active[hit]
            found[at] = self._offsets[slots[at]].astype(np.uint64) + np.uint64(self._base or 0)
            active = active[(held != 0) & ~hit]
            slots[active] = (slots[active] + np.uint64(1)) & self._mask
        return found

    def add(self, keys: Keys, positions: Positions, times: NDArray[np.int64]) -> None:
        offsets = (positions - np.uint64(self._base or 0)).astype(np.uint32)
        slots = keys & self._mask
        active = np.arange(len(keys))
        while len(active):
            free = self._keys[slots[active]] == 0
            candidates = active[free]
            self._offsets[slots[candidates]] = offsets[candidates]
            self._keys[slots[candidates]] = keys[candidates]
            won = self._keys[slots[candidates]] == keys[candidates]
            settled = candidates[won]
            self._offsets[slots[settled]] = offsets[settled]
            active = np.concatenate([active[~free], candidates[~won]])
            slots[active] = (slots[active] + np.uint64(1)) & self._mask
        self.used += len(keys)
        latest = int(times.max())
        self.latest = latest if self.latest is None else max(self.latest, latest)


async def remember_stored(net: NearNet, store: EventStore, position: int) -> None:
    """Fill the net anew with the ids that the store holds up to `position`, oldest first."""
    net.clear()
    windows = await _newest_windows(store, position, net.ids)
    for after, until in windows:
        [ids] = await store.fetch(Statement("ids_between", {"after": after, "until": until}))
        keys, times = ids["event_key"].to_numpy(), ids["timestamp"].to_numpy()
        await asyncio.to_thread(net.add, keys, ids["position"].to_numpy(), times)
    if windows:
        [latest] = await store.fetch(Statement("latest_time_until", {"until": windows[0][0]}))
        net.forget_before(latest["latest"][0].as_py())


async def _newest_windows(store: EventStore, position: int, ids: int) -> list[tuple[int, int]]:
    """Ranges of positions `(after, until]` that hold the newest ids, in stream order."""
    undecided = [(0, position)]
    windows: list[tuple[int, int]] = []
    found = 0
    while undecided and found < ids:
        after, until = undecided.pop()
        values = {"after": after, "until": until}
        [counted] = await store.fetch(Statement("rows_between", values))
        rows = counted["rows"][0].as_py()
        if rows > _WINDOW_ROWS and until - after > 1:
            middle = (after + until) // 2
            undecided += [(after, middle), (middle, until)]
        elif rows:
            windows.append((after, until))
            found += rows
    return windows[::-1]
