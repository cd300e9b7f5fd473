"""Events out of a store: an extent that does not move, cut into windows that fit into memory."""

import asyncio
from collections.abc import Iterator
from typing import Protocol

import msgspec
import pyarrow as pa

from service.events import CANARY
from service.plan import STORED
from service.storage.protocol import EventStore, Progress, Statement

WINDOW_EVENTS = 50_000
WINDOW_TEXT = 16 * 1024 * 1024
"""Characters of metadata and payload in one window."""
_SLOT = 256
"""Positions in one line of `transfer_slots`."""
EVER = 2**62
"""Further than any time of an event, ms since 1970."""

_decode_numbers = msgspec.json.Decoder(dict[str, float]).decode


class Choice(msgspec.Struct, frozen=True):
    """Which events: of one environment (or all, when empty), `start` <= event time < `end`.

    The service's own are left out where they are not asked for.
    """

    environment: str = ""
    start: int = -EVER
    end: int = EVER
    canaries: bool = False

    def values(self, after: int, until: int) -> dict[str, str | int]:
        """The parameters of a statement about these events between two positions."""
        whose = {"tenant": self.environment, "apart": "" if self.canaries else CANARY}
        return {**whose, "start": self.start, "end": self.end, "after": after, "until": until}


class Window(msgspec.Struct, frozen=True):
    """The events after one position and up to another."""

    after: int
    until: int
    events: int


class Extent(msgspec.Struct, frozen=True):
    """What there is to take: everything chosen that was stored up to `progress`."""

    dialect: str
    progress: Progress
    windows: list[Window]

    @property
    def events(self) -> int:
        return sum(window.events for window in self.windows)


class Source(Protocol):
    """Where events come from: a store opened here, or a running service that has one open."""

    async def extent(self, choice: Choice, after: int = 0, until: int | None = None) -> Extent:
        """What is stored after one position and up to another, by default up to now."""
        ...

    async def rows(self, choice: Choice, after: int, until: int) -> pa.Table:
        """The events of a window, with the columns of the store's table `events`."""
        ...

    async def sums(self, after: int, until: int) -> dict[str, int]:
        """What all events of a stretch add up to, column by column."""
        ...


class Stored:
    """A Source that is a store."""

    def __init__(self, store: EventStore) -> None:
        self._store = store

    async def extent(self, choice: Choice, after: int = 0, until: int | None = None) -> Extent:
        progress = await self._store.progress()
        last = progress.position if until is None else until
        values = choice.values(after, last)
        [slots] = await self._store.fetch(Statement("transfer_slots", values))
        return Extent(self._store.dialect, progress, list(_windows(slots, after, last)))

    async def rows(self, choice: Choice, after: int, until: int) -> pa.Table:
        values = choice.values(after, until)
        [rows] = await self._store.fetch(Statement("transfer_rows", values))
        return await asyncio.to_thread(_as_stored, rows)

    async def sums(self, after: int, until: int) -> dict[str, int]:
        values = {"after": after, "until": until}
        [sums] = await self._store.fetch(Statement("transfer_sums", values))
        found: dict[str, int] = sums.to_pylist()[0]
        return found


def _windows(slots: pa.Table, after: int, last: int) -> Iterator[Window]:
    """Neighbouring slots together as long as they fit; a slot too large is cut by its positions."""
    begin, end, events, text = after, after, 0, 0
    for slot in slots.to_pylist():
        until = min(slot["slot"] + _SLOT - 1, last)
        if events and not _fits(events + slot["events"], text + slot["text"]):
            yield Window(begin, end, events)
            begin, events, text = end, 0, 0
        if _fits(slot["events"], slot["text"]):
            end, events, text = until, events + slot["events"], text + slot["text"]
        else:
            yield from _pieces(slot, begin, until)
            begin, end = until, until
    if events:
        yield Window(begin, end, events)


def _fits(events: int, text: int) -> bool:
    return events <= WINDOW_EVENTS and text <= WINDOW_TEXT


def _pieces(slot: dict[str, int], after: int, until: int) -> Iterator[Window]:
    """A slot in equal stretches; how many events are in each is only known of them all."""
    first = max(after + 1, slot["slot"])
    wanted = max(slot["events"] / WINDOW_EVENTS, slot["text"] / WINDOW_TEXT)
    stretch = max(1, int((until - first + 1) / wanted))
    left = slot["events"]
    for begin in range(first, until + 1, stretch):
        end = min(begin + stretch - 1, until)
        events = (
            left if end == until else min(left, slot["events"] * stretch // (until - first + 1))
        )
        yield Window(after, end, events)
        after, left = end, left - events


def _as_stored(rows: pa.Table) -> pa.Table:
    """The rows of `transfer_rows` with the types of the store's table."""
    numbers = [list(_decode_numbers(text).items()) for text in rows["numbers"].to_pylist()]
    columns = [
        pa.array(numbers, field.type)
        if field.name == "numbers"
        else rows[field.name].combine_chunks().cast(field.type)
        for field in STORED
    ]
    return pa.Table.from_arrays(columns, schema=STORED)
