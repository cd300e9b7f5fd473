"""By what events are told apart: fields, and time in buckets."""

from collections.abc import Sequence

from service.errors import InvalidInput
from service.query import catalog
from service.query.language.fields import Field, field_named, meant, shown
from service.query.language.question import TIME
from service.query.parameters import Range, fitting_interval, interval_named

MOST_ROWS = 20_000
"""Rows that one answer may have: groups times buckets."""


def groups_named(names: Sequence[str]) -> tuple[Field, ...]:
    """The fields among the dimensions, each once. Raises InvalidInput."""
    refuse_repeats(names, "dimensions")
    return tuple(_group(name, f"dimensions[{n}]") for n, name in enumerate(names) if name != TIME)


def _group(name: str, place: str) -> Field:
    try:
        return field_named(name, place)
    except InvalidInput as error:
        near = meant(name, [TIME])
        raise InvalidInput(f"{error}; and {TIME}{near}", place) from None


def refuse_repeats(names: Sequence[str], place: str) -> None:
    """Raise InvalidInput for a name that is there twice."""
    for number, name in enumerate(names):
        if name in names[:number]:
            raise InvalidInput(f"`{place}[{number}]`: {shown(name)} is there twice", place)


def interval_of(interval: str | None, dimensions: Sequence[str], time: Range, zone: str) -> int:
    """How long buckets are, in ms; 0 if time is no dimension. Raises InvalidInput."""
    if TIME not in dimensions:
        if interval is not None:
            raise InvalidInput("`interval` needs the dimension `time`", "interval")
        return 0
    if interval is None:
        return fitting_interval(time, zone)
    if interval not in catalog.INTERVALS:
        near = meant(interval, catalog.INTERVALS)
        raise InvalidInput(
            f"`interval` must be one of {', '.join(catalog.INTERVALS)}{near}", "interval"
        )
    return interval_named(interval, time)


def check_rows(time: Range, interval: int, limit: int, most: int = MOST_ROWS) -> None:
    """Raise InvalidInput when so many groups may have more rows than an answer, by buckets."""
    buckets = -(-(time.end - time.start) // interval) + 1
    if buckets * limit > most:
        raise InvalidInput(
            f"`limit` {limit} groups of {buckets} buckets are more than {most} rows; "
            "choose a longer `interval`, a shorter `range` or a smaller `limit`",
            "limit",
        )
