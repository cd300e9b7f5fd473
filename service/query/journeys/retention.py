"""How many of those who began in one period come back in the periods after it.

A period is a day, a week or a month on the clock of a zone; the range cuts the first and the last
one. By `first` a user belongs to the period of the first start event that he ever had, if that lies
in the range; by `recurring` to every period in which he had one. He comes back in a period in which
he has a return event later than the first start event of the period that he belongs to.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from zoneinfo import ZoneInfo

import msgspec

from service.errors import InvalidInput
from service.query.buckets import bucket_starts, month_starts, shown
from service.query.catalog import DAY, WEEK
from service.query.journeys.asked import (
    SOMEBODY,
    Frame,
    Tables,
    all_of,
    any_of,
    facts,
    filters_of,
    frame_of,
    terms_for,
    with_values,
)
from service.query.journeys.shown import share_of
from service.query.journeys.words import Retention
from service.query.language.answer import span_of
from service.query.language.axis import bucket
from service.query.language.conditions import column
from service.query.language.decoding import Grammar
from service.query.language.words import Filter, Span
from service.query.parameters import EARLIEST, Range, zone_named
from service.storage.protocol import Statement

MOST_PERIODS = 100
"""Periods of one answer."""

_GRAMMAR = Grammar(Retention)
_LENGTHS = {"day": DAY, "week": WEEK, "month": 31 * DAY}
"""In ms, the most that one may have."""
_ALL = -1
"""Instead of a period: all who belong to one, whether they come back or not."""


class Returned(msgspec.Struct):
    """Of so many users, how many came back in their first period, the one after it, and so on."""

    users: list[int]
    returned: list[int]
    shares: list[float | None]


class Cohort(msgspec.Struct):
    """The same of those who began in the period that begins at `time`."""

    time: str
    users: int
    returned: list[int]
    shares: list[float | None]


class RetentionDocument(msgspec.Struct):
    """The answer to a question about retention."""

    range: Span
    cohorts: list[Cohort]
    totals: Returned
    """Of all cohorts that have come so far."""


@dataclass(frozen=True, slots=True)
class RetentionQuestion:
    """A question about retention, read and checked."""

    frame: Frame
    start: tuple[Filter, ...]
    returned: tuple[Filter, ...]
    starts: Sequence[int]
    """Where the periods begin."""
    length: int
    """Of a period, in ms; the most that one may have."""
    first: bool
    kind: str = "retention"

    def canonical(self) -> tuple[object, ...]:
        return self.frame.canonical()

    def statements(self, tenant: str) -> Mapping[str, Statement]:
        cohorts = "journeys.first_cohorts" if self.first else "journeys.recurring_cohorts"
        earlier = {"earlier": [self._earlier(self.frame.range)]} if self.first else {}
        parts = {
            "facts": [self._facts(self.frame.range)],
            "cohorts": [Statement(cohorts, parts=earlier)],
        }
        asked = {"cohorts": Statement("journeys.retention", {"all": _ALL}, parts)}
        return with_values(asked, {"tenant": tenant})

    def document(self, tables: Tables) -> bytes:
        rows = tables["cohorts"].to_pylist()
        found = {(row["cohort"], row["period"]): row["users"] for row in rows}
        periods = len(self.starts)
        cohorts = [_cohort(found, n, periods, start) for n, start in enumerate(self.starts)]
        document = RetentionDocument(span_of(self.frame.range), cohorts, _totals(cohorts))
        return msgspec.json.encode(document)

    def _facts(self, time: Range) -> Statement:
        terms = terms_for((), self.frame.filters, self.start, self.returned)
        starts, returns = (all_of(terms.conditions(s)) for s in (self.start, self.returned))
        columns = [
            column("who", Statement("fields.user_key")),
            Statement("fields.timestamp"),
            column("bucket", bucket(self.starts, self.length)),
            column("starts", starts),
            column("returns", returns),
        ]
        which = [SOMEBODY, *terms.conditions(self.frame.filters), any_of([starts, returns])]
        return facts(terms, (time.start, time.end), columns, which)

    def _earlier(self, time: Range) -> Statement:
        """Who had a start event before the range."""
        asked = (*self.frame.filters, *self.start)
        terms = terms_for((), asked)
        columns = [column("who", Statement("fields.user_key"))]
        return facts(terms, (EARLIEST, time.start), columns, [SOMEBODY, *terms.conditions(asked)])


def read_retention(body: bytes, now_ms: int) -> RetentionQuestion:
    """The question of a document; `now_ms` is where ranges like `24h` end. Raises InvalidInput."""
    asked = _GRAMMAR.read(body)
    frame = frame_of(asked, now_ms)
    start = filters_of(asked.start, "start")
    return RetentionQuestion(
        frame=frame,
        start=start,
        returned=start if asked.returned is None else filters_of(asked.returned, "return"),
        starts=_periods(frame.range, asked.period, zone_named(asked.tz)),
        length=_LENGTHS[asked.period],
        first=asked.kind == "first",
    )


def _periods(time: Range, period: str, zone: str) -> Sequence[int]:
    """Where the periods of a range begin. Raises InvalidInput for too many of them."""
    length = _LENGTHS[period]
    if (time.end - time.start) // length <= MOST_PERIODS:
        clock = ZoneInfo(zone)
        starts = (
            month_starts(time.start, time.end, clock)
            if period == "month"
            else bucket_starts(time.start, time.end, length, clock)
        )
        if len(starts) <= MOST_PERIODS:
            return starts
    raise InvalidInput(
        f"`range` has more than {MOST_PERIODS} periods; choose a shorter one, or a longer `period`",
        "range",
    )


def _cohort(found: Mapping[tuple[int, int], int], number: int, periods: int, start: int) -> Cohort:
    users = found.get((number, _ALL), 0)
    returned = [found.get((number, later), 0) for later in range(number, periods)]
    return Cohort(shown(start), users, returned, [share_of(n, users) for n in returned])


def _totals(cohorts: Sequence[Cohort]) -> Returned:
    """What all cohorts that have come so far give together, period by period."""
    ages = range(len(cohorts))
    users = [sum(c.users for c in cohorts if len(c.returned) > age) for age in ages]
    returned = [sum(c.returned[age] for c in cohorts if len(c.returned) > age) for age in ages]
    return Returned(users, returned, list(map(share_of, returned, users)))
