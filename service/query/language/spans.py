"""Stretches of time as callers write them: `7d` up to now, from one moment to another, before."""

import re

from service.errors import InvalidInput
from service.query import catalog
from service.query.language.fields import meant
from service.query.language.words import Span
from service.query.parameters import EARLIEST, Range, moment_in

PREVIOUS = "previous"
"""What a range is compared with: the time of equal length before it."""

_UNITS = {
    "s": catalog.SECOND,
    "m": catalog.MINUTE,
    "h": catalog.HOUR,
    "d": catalog.DAY,
    "w": catalog.WEEK,
}
_LAST = re.compile(r"([1-9][0-9]{0,3})([smhdw])")


def range_of(found: str | Span, place: str, now_ms: int) -> Range:
    """The range that stands at a place of the document. Raises InvalidInput."""
    if isinstance(found, Span):
        time = Range(moment_in(found.start, f"{place}.start"), moment_in(found.end, f"{place}.end"))
        if time.start >= time.end:
            raise InvalidInput(f"`{place}.start` must be before `{place}.end`", f"{place}.start")
        return time
    if (length := duration(found)) is None:
        raise InvalidInput(
            f"`{place}` must be how long it lasts up to now, like 15m, 24h, 7d or 4w "
            '(s, m, h, d, w), or {"start": …, "end": …}',
            place,
        )
    return Range(now_ms - length, now_ms, found)


def duration(text: str) -> int | None:
    """How long `15m` and the like are, in ms; None for another text."""
    found = _LAST.fullmatch(text)
    return int(found[1]) * _UNITS[found[2]] if found else None


def compared_with(found: str | Span | None, time: Range, now_ms: int) -> Range | None:
    """What a range is compared with, if it is. Raises InvalidInput."""
    if found is None:
        return None
    if found == PREVIOUS:
        if (before := 2 * time.start - time.end) < EARLIEST:
            raise InvalidInput("`compare`: there is no time before a range that long", "compare")
        return Range(before, time.start)
    if isinstance(found, str):
        near = meant(found, [PREVIOUS])
        raise InvalidInput(
            f'`compare` must be {PREVIOUS}, or {{"start": …, "end": …}}{near}', "compare"
        )
    return range_of(found, "compare", now_ms)
