"""From the texts of a query string to a question's parameters.

Nothing is guessed: an unknown name or value is InvalidInput, which names the parameter and says
what is allowed.
"""

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from zoneinfo import ZoneInfo, available_timezones

from service.errors import InvalidInput
from service.events import MAX_ID_LENGTH, MAX_TYPE_LENGTH, milliseconds
from service.query import catalog
from service.query.buckets import bucket_starts

_YEARS = range(2, 9999)
"""Calendar years that every time zone can be computed in."""
EARLIEST, LATEST = (milliseconds(datetime(year, 1, 1, tzinfo=UTC)) for year in (2, 9999))
"""The same as moments: the first one, and the one after the last."""
_MAX_NAME_LENGTH = 1000


@dataclass(frozen=True, slots=True)
class Range:
    """The moments from `start` up to before `end`, in ms; `name` is set for one that ends now."""

    start: int
    end: int
    name: str | None = None

    def canonical(self) -> tuple[object, ...]:
        """What is the same for all who ask for the same range."""
        return (self.name,) if self.name else (self.start, self.end)


@dataclass(frozen=True, slots=True)
class Filters:
    """Which events count; an empty text lets all of them."""

    event_type: str = ""
    """The type, exactly."""
    user_id: str = ""
    """A part of the user's id, literally."""

    @property
    def any(self) -> bool:
        return bool(self.event_type or self.user_id)


@dataclass(frozen=True, slots=True)
class MetricsParameters:
    """What to put into the metrics document. `interval` in ms."""

    range: Range
    interval: int
    zone: str
    filters: Filters
    limit: int

    def canonical(self) -> tuple[object, ...]:
        """What the answer depends on, besides the events."""
        filters = (self.filters.event_type, self.filters.user_id)
        return (*self.range.canonical(), self.interval, self.zone, *filters, self.limit)


@dataclass(frozen=True, slots=True)
class NumbersParameters:
    """Which number of the payload to sum up, and by what."""

    name: str
    by: str
    range: Range
    filters: Filters
    limit: int

    def canonical(self) -> tuple[object, ...]:
        """What the answer depends on, besides the events."""
        filters = (self.filters.event_type, self.filters.user_id)
        return (self.name, self.by, *self.range.canonical(), *filters, self.limit)


def parse_metrics(raw: Mapping[str, str], now_ms: int) -> MetricsParameters:
    """The parameters of the metrics document; `now_ms` is where ranges like `1h` end."""
    _refuse_unknown(raw, catalog.METRICS)
    time = _range(raw, now_ms)
    zone = zone_named(raw.get("tz", "UTC"))
    return MetricsParameters(
        range=time,
        interval=_interval(raw, time, zone),
        zone=zone,
        filters=_filters(raw),
        limit=_limit(raw, catalog.TOP_USERS, catalog.TOP_USERS_MOST),
    )


def parse_numbers(raw: Mapping[str, str], now_ms: int) -> NumbersParameters:
    """The parameters of the sums over a number; `now_ms` is where ranges like `1h` end."""
    _refuse_unknown(raw, catalog.NUMBERS)
    if "name" not in raw:
        raise InvalidInput("`name` is missing: the numeric field of the payload", "name")
    return NumbersParameters(
        name=_text(raw, "name", _MAX_NAME_LENGTH),
        by=_choice(raw, "by", catalog.GROUPS, "none"),
        range=_range(raw, now_ms),
        filters=_filters(raw),
        limit=_limit(raw, catalog.NUMBER_ROWS, catalog.NUMBER_ROWS_MOST),
    )


def _refuse_unknown(raw: Mapping[str, str], known: Collection[str]) -> None:
    for name in raw:
        if name not in known:
            raise InvalidInput(f"`{name}` is not a parameter here; there are {_list(known)}", name)


def _range(raw: Mapping[str, str], now_ms: int) -> Range:
    if "start" not in raw and "end" not in raw:
        name = _choice(raw, "timeRange", catalog.RANGES, "1h")
        return Range(now_ms - catalog.RANGES[name][0], now_ms, name)
    if "timeRange" in raw:
        raise InvalidInput("give `timeRange`, or `start` and `end`, not both", "timeRange")
    for name in ("start", "end"):
        if name not in raw:
            raise InvalidInput(f"`{name}` is missing: `start` and `end` go together", name)
    time = Range(moment_in(raw["start"], "start"), moment_in(raw["end"], "end"))
    if time.start >= time.end:
        raise InvalidInput("`start` must be before `end`", "start")
    return time


def moment_in(text: str, name: str) -> int:
    """The moment that a text names, in ms; `name` is where it stands. Raises InvalidInput."""
    try:
        when = datetime.fromisoformat(text)
    except ValueError:
        raise InvalidInput(
            f"`{name}` must be a time in ISO 8601, like 2024-01-30T12:00:00Z "
            "(a + is written %2B in a URL)",
            name,
        ) from None
    if when.year not in _YEARS:
        raise InvalidInput(
            f"`{name}` must be in the years {_YEARS.start} to {_YEARS.stop - 1}", name
        )
    return milliseconds(when)


def _interval(raw: Mapping[str, str], time: Range, zone: str) -> int:
    if "interval" not in raw:
        return catalog.RANGES[time.name][1] if time.name else fitting_interval(time, zone)
    return interval_named(_choice(raw, "interval", catalog.INTERVALS, ""), time)


def interval_named(name: str, time: Range) -> int:
    """One of `INTERVALS`, in ms. Raises InvalidInput when it makes too many buckets."""
    interval = catalog.INTERVALS[name]
    if _least_buckets(time, interval) > catalog.BUCKETS_MOST:
        raise InvalidInput(
            f"`interval` {name} makes more than {catalog.BUCKETS_MOST} buckets of this range; "
            "choose a longer one",
            "interval",
        )
    return interval


def fitting_interval(time: Range, zone: str) -> int:
    """The shortest interval that makes few enough buckets of the range, or the longest.

    Raises InvalidInput when that makes too many.
    """
    most = catalog.BUCKETS_AIMED_AT
    for interval in catalog.INTERVALS.values():
        if _least_buckets(time, interval) <= most:
            starts = bucket_starts(time.start, time.end, interval, ZoneInfo(zone))
            if len(starts) <= most:
                return interval
    if _least_buckets(time, interval) > catalog.BUCKETS_MOST:
        raise InvalidInput("the range is too long; ask for a shorter one", "start")
    return interval


def _least_buckets(time: Range, interval: int) -> int:
    return (time.end - time.start) // interval


def zone_named(name: str) -> str:
    """The name of a time zone that there is. Raises InvalidInput."""
    if name not in _zones():
        raise InvalidInput("`tz` must be an IANA time zone, like Europe/Paris", "tz")
    return name


@cache
def _zones() -> frozenset[str]:
    return frozenset(available_timezones())


def _filters(raw: Mapping[str, str]) -> Filters:
    return Filters(
        event_type=_text(raw, "eventType", MAX_TYPE_LENGTH) if "eventType" in raw else "",
        user_id=_text(raw, "userId", MAX_ID_LENGTH) if "userId" in raw else "",
    )


def _text(raw: Mapping[str, str], name: str, longest: int) -> str:
    if not 1 <= len(raw[name]) <= longest:
        raise InvalidInput(f"`{name}` must have 1 to {longest} characters", name)
    return raw[name]


def _limit(raw: Mapping[str, str], usual: int, most: int) -> int:
    text = raw.get("limit", str(usual))
    if not re.fullmatch(r"[0-9]{1,6}", text) or not 1 <= int(text) <= most:
        raise InvalidInput(f"`limit` must be a whole number from 1 to {most}", "limit")
    return int(text)


def _choice(raw: Mapping[str, str], name: str, allowed: Collection[str], usual: str) -> str:
    chosen = raw.get(name, usual)
    if chosen not in allowed:
        raise InvalidInput(f"`{name}` must be one of {_list(allowed)}", name)
    return chosen


def _list(names: Collection[str]) -> str:
    return ", ".join(names)
