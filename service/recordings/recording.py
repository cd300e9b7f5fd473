"""What a recording is: events that happened once and can be sent again."""

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

from service.errors import InvalidInput


class Record(NamedTuple):
    """An event of a recording, in the words of the API. `at` is its timestamp in ms UTC."""

    line: int
    at: int
    fields: dict[str, Any]


class BadLine(NamedTuple):
    """A line that is no event, and why."""

    line: int
    reason: str


@dataclass(frozen=True, slots=True)
class Extent:
    """How much a recording holds; `first` and `last` are the span of its timestamps, ms UTC."""

    events: int
    bad: int
    first: int
    last: int


class Recording(Protocol):
    """Events in the order in which they were kept. Reading it again gives the same ids."""

    name: str

    def extent(self) -> Extent:
        """How much it holds. Raises InvalidInput if it cannot be read or has no event at all."""
        ...

    def records(self) -> Iterator[Record | BadLine]:
        """Its lines, a few at a time in memory. Raises InvalidInput where it breaks off."""
        ...


def together(extents: Iterable[Extent]) -> Extent:
    """The extent of several recordings sent one after the other."""
    parts = list(extents)
    return Extent(
        events=sum(e.events for e in parts),
        bad=sum(e.bad for e in parts),
        first=min(e.first for e in parts),
        last=max(e.last for e in parts),
    )


def measured(name: str, records: Iterable[Record | BadLine]) -> Extent:
    """The extent of a recording by reading it. Raises InvalidInput if it has no event at all."""
    events, bad, first, last = 0, 0, math.inf, -math.inf
    problem = "it is empty"
    for record in records:
        if isinstance(record, BadLine):
            problem = problem if bad else f"line {record.line}: {record.reason}"
            bad += 1
        else:
            events += 1
            first, last = min(first, record.at), max(last, record.at)
    if not events:
        raise InvalidInput(f"{name}: no event in it; {problem}")
    return Extent(events, bad, int(first), int(last))
