"""Records of a recording, cut into what one request carries."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import timedelta

from service.client import Outgoing
from service.recordings.recording import BadLine, Recording

TICK = 0.1
"""Seconds: a paced replay sends at least this often, however large its batches may be."""


@dataclass(slots=True)
class Parcel:
    """The events of one request, and where in which recording they stand."""

    name: str
    events: list[Outgoing] = field(default_factory=list)
    lines: list[int] = field(default_factory=list)
    first: int = 0
    """The recorded time of its first event, ms UTC."""
    last: int = 0
    """The recorded time of its last event, ms UTC."""

    def place(self, index: int) -> str:
        """Where the event with this index was read."""
        return f"{self.name}:{self.lines[index]}"


@dataclass(frozen=True, slots=True)
class Size:
    """When a parcel is full: so many events, or so much recorded time (ms) if it counts."""

    events: int
    span: float | None = None


def size(batch: int, rate: float | None, speed: float | None) -> Size:
    """Full batches, unless the pace asks for smaller ones to be sent every TICK."""
    events = max(1, min(batch, int(rate * TICK))) if rate else batch
    return Size(events, speed * TICK * 1000 if speed else None)


def parcels(recording: Recording, full: Size, shift: int) -> Iterator[Parcel | BadLine]:
    """The recording in order, its times moved by `shift` ms; bad lines where they stand."""
    later = timedelta(milliseconds=shift)
    parcel = Parcel(recording.name)
    for record in recording.records():
        if isinstance(record, BadLine):
            yield record
            continue
        if parcel.events and _is_full(parcel, full, record.at):
            yield parcel
            parcel = Parcel(recording.name)
        if shift:
            record.fields["timestamp"] += later
        parcel.first = parcel.first if parcel.events else record.at
        parcel.last = record.at
        parcel.events.append(record.fields)
        parcel.lines.append(record.line)
    if parcel.events:
        yield parcel


def _is_full(parcel: Parcel, full: Size, next_at: int) -> bool:
    if len(parcel.events) >= full.events:
        return True
    return full.span is not None and next_at - parcel.first > full.span
