"""Time in buckets that follow the clock of a time zone.

A bucket begins where that clock shows a multiple of the interval, counted from midnight (weeks:
from Monday), or jumps over one. So a bucket beside a change of the clock is longer or shorter than
the others, and none is ever missing or counted twice.
"""

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta, tzinfo
from itertools import count, pairwise, takewhile
from math import gcd

from service.query.catalog import DAY, WEEK

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MONDAY = 4 * DAY
"""The first Monday after the epoch, which was a Thursday."""


def moment(ms: int) -> datetime:
    """The moment `ms` milliseconds after 1970 UTC."""
    return _EPOCH + timedelta(milliseconds=ms)


def shown(ms: int) -> str:
    """A moment as answers show it: ISO 8601 in UTC, milliseconds only where there are any."""
    form = "milliseconds" if ms % 1000 else "seconds"
    return moment(ms).replace(tzinfo=None).isoformat(timespec=form) + "Z"


def bucket_starts(start: int, end: int, interval: int, zone: tzinfo) -> list[int]:
    """Where the buckets begin that hold the moments from `start` up to before `end`, in ms.

    The first one begins at or before `start`: the range cuts it, as it cuts the last one.
    """
    starts = sorted(set(_starts(start - interval - DAY, end, interval, zone)))
    return starts[bisect_right(starts, start) - 1 :]


def month_starts(start: int, end: int, zone: tzinfo) -> list[int]:
    """The same for months of a zone's calendar."""
    first = moment(start).astimezone(zone)
    months = count(12 * first.year + first.month - 2)
    starts = (_milliseconds(datetime(m // 12, m % 12 + 1, 1, tzinfo=zone)) for m in months)
    found = list(takewhile(lambda begin: begin < end, starts))
    return found[bisect_right(found, start) - 1 :]


def slot_width(starts: Sequence[int], interval: int) -> int:
    """The widest slots, counted from the first bucket's beginning, that each lie in one bucket."""
    return gcd(interval, *(later - starts[0] for later in starts))


def _starts(start: int, end: int, interval: int, zone: tzinfo) -> Iterator[int]:
    anchor = _MONDAY if interval == WEEK else 0
    reached: int | None = None
    for first, last, offset in _stretches(start, end, zone):
        if reached is not None and (first + offset - anchor) // interval > reached:
            yield first
        yield from range(first + (anchor - first - offset) % interval, last, interval)
        reached = (last - 1 + offset - anchor) // interval


def _stretches(start: int, end: int, zone: tzinfo) -> Iterator[tuple[int, int, int]]:
    """The range in pieces of one offset from UTC: where each begins and ends, and the offset."""
    looks = [*range(start, end, DAY), end]
    first = start
    for earlier, later in pairwise(looks):
        if _offset(earlier, zone) != _offset(later, zone):
            change = _change(earlier, later, zone)
            yield first, change, _offset(earlier, zone)
            first = change
    if first < end:
        yield first, end, _offset(first, zone)


def _change(earlier: int, later: int, zone: tzinfo) -> int:
    """The first moment at which the offset is no longer that of `earlier`."""
    while later - earlier > 1:
        middle = (earlier + later) // 2
        if _offset(middle, zone) == _offset(earlier, zone):
            earlier = middle
        else:
            later = middle
    return later


def _milliseconds(when: datetime) -> int:
    """A clock's moment; where it jumps over it, that of the jump, of two the first."""
    return (when.astimezone(UTC) - _EPOCH) // timedelta(milliseconds=1)


def _offset(ms: int, zone: tzinfo) -> int:
    offset = moment(ms).astimezone(zone).utcoffset() or timedelta()
    return offset // timedelta(milliseconds=1)
