"""What to read for an answer: whole buckets from the rollups, the rest from the rows.

A range rarely begins and ends where a bucket does. What lies before the first whole bucket and
after the last one is read from the rows, and so is all that is not rolled up yet. A filter that a
rollup does not carry makes everything the rest.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal
from zoneinfo import ZoneInfo

from service.query.buckets import bucket_starts, slot_width
from service.query.catalog import DAY, MINUTE, QUARTER
from service.query.parameters import Filters, MetricsParameters, NumbersParameters, Range
from service.storage.protocol import Statement

Source = Literal["rollup", "raw", "mixed"]
"""Where an answer comes from: from rollups and what is newer than they, from rows, or both."""


@dataclass(frozen=True, slots=True)
class Plan:
    """The statements of the metrics document, and how to read what they count."""

    statements: tuple[Statement, ...]
    """The counts, the users, the sessions; for an open end, how many rows make the plan wrong."""
    starts: Sequence[int]
    """Where each bucket begins."""
    slot: int
    """Length of the slots that the counts come in; they are numbered from the first start."""
    source: Source


@dataclass(frozen=True, slots=True)
class Cover:
    """A range as whole buckets of one width, and the two edges that they leave over."""

    whole: tuple[int, int]
    left: tuple[int, int]
    right: tuple[int, int]

    @property
    def source(self) -> Source:
        """Where what it covers is read from."""
        edges = self.left[0] < self.left[1] or self.right[0] < self.right[1]
        if self.whole[0] == self.whole[1]:
            return "raw"
        return "mixed" if edges else "rollup"

    def values(self) -> dict[str, int]:
        """As parameters of a statement."""
        return {
            f"{name}_{side}": moment
            for name in ("whole", "left", "right")
            for side, moment in zip(("from", "to"), getattr(self, name), strict=True)
        }


def plan_metrics(tenant: str, parameters: MetricsParameters, *, open_end: bool) -> Plan:
    """The plan for a metrics document.

    With `open_end` the bucket that the range ends in is taken whole, in the hope that nothing lies
    in it beyond the end, as when the range ends now; when the last statement counts rows there,
    plan again without.
    """
    time, filters = parameters.range, parameters.filters
    starts = bucket_starts(time.start, time.end, parameters.interval, ZoneInfo(parameters.zone))
    slot = slot_width(starts, parameters.interval)
    by_minute = (
        cover(time, MINUTE, open_end)
        if not filters.user_id and slot % MINUTE == 0 and starts[0] % MINUTE == 0
        else uncovered(time)
    )
    by_quarter = uncovered(time) if filters.any else cover(time, QUARTER, open_end)
    asked = {
        **_rows(tenant, time, filters),
        "limit": parameters.limit,
        "origin": starts[0],
        "slot": slot,
    }
    visitors = {**asked, **by_quarter.values(), **_days(by_quarter)}
    beyond = max(time.end, by_minute.whole[1], by_quarter.whole[1])
    return Plan(
        (
            Statement("metrics_counts", {**asked, **by_minute.values()}),
            Statement("metrics_users", visitors),
            Statement("metrics_sessions", visitors),
            *([Statement("metrics_beyond", {**asked, "beyond": beyond})] if open_end else ()),
        ),
        starts,
        slot,
        by_minute.source if by_minute.source == by_quarter.source else "mixed",
    )


def plan_numbers(tenant: str, parameters: NumbersParameters) -> Statement:
    """The statement that sums up a number; it reads the rows."""
    asked = {"name": parameters.name, "by": parameters.by, "limit": parameters.limit}
    return Statement("numbers", {**_rows(tenant, parameters.range, parameters.filters), **asked})


def cover(time: Range, width: int, open_end: bool) -> Cover:
    """The whole buckets of `width` ms in a range, and its edges."""
    first = -(-time.start // width) * width
    last = (-(-time.end // width) if open_end else time.end // width) * width
    if first >= last:
        return uncovered(time)
    return Cover((first, last), (time.start, first), (min(last, time.end), time.end))


def uncovered(time: Range) -> Cover:
    """A range that is all edge."""
    nothing = (time.end, time.end)
    return Cover(nothing, (time.start, time.end), nothing)


def _days(quarters: Cover) -> dict[str, int]:
    """The whole days among whole quarters of an hour."""
    first, last = quarters.whole
    days = (-(-first // DAY) * DAY, last // DAY * DAY)
    start, end = days if days[0] < days[1] else (last, last)
    return {"days_from": start, "days_to": end}


def _rows(tenant: str, time: Range, filters: Filters) -> dict[str, int | str]:
    return {
        "tenant": tenant,
        "start": time.start,
        "end": time.end,
        "event_type": filters.event_type,
        "user_id": filters.user_id,
    }
