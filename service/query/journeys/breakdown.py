"""By what an answer is broken down: groups, buckets of time, and another range to compare with.

The answer to a breakdown has a row for each group, the greatest first, or a row for each bucket of
each group, the earliest first, those of nobody too; and beside each what it was in the other range.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from zoneinfo import ZoneInfo

from service.query.buckets import bucket_starts, shown
from service.query.journeys.asked import Frame, Tables
from service.query.journeys.words import Broken
from service.query.language.axis import bucket
from service.query.language.conditions import EVERYTHING, Terms, column, named
from service.query.language.dimensions import check_rows, groups_named, interval_of
from service.query.language.fields import Field
from service.query.language.grouping import (
    columns_of,
    in_place,
    key_columns,
    names_of,
    values_of,
)
from service.query.language.question import TIME
from service.query.language.spans import compared_with
from service.query.language.words import Value
from service.query.parameters import Range, zone_named
from service.storage.protocol import Statement

MOST_ROWS = 2_000
"""Rows that an answer with buckets may have."""

Row = Mapping[str, Any]
"""What the store answered for a group; empty where it knows of none."""
_Key = tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class Found:
    """A row of the answer, and the same of the other range, whose bucket begins at `time`."""

    dimensions: dict[str, Value | int]
    row: Row
    compared: Row | None
    time: str | None


@dataclass(frozen=True, slots=True)
class Breakdown:
    """What an answer is broken down by. `interval` in ms, 0 if time is no dimension."""

    dimensions: tuple[str, ...]
    groups: tuple[Field, ...]
    range: Range
    compare: Range | None
    interval: int
    zone: str
    limit: int
    totals: bool

    @property
    def keys(self) -> list[Statement]:
        """The columns that facts are told apart by."""
        return [*names_of(self.groups), *([named("bucket")] if self.interval else [])]

    def columns(self, terms: Terms, time: Range) -> list[Statement]:
        """The same columns, out of events."""
        starts = self._starts(time)
        buckets = [column("bucket", bucket(starts, self.interval))] if starts else []
        return [*columns_of(self.groups, terms), *buckets]

    def page(self, facts: Statement, size: Statement) -> Statement:
        """The groups that are shown: those of the greatest size, which is counted over facts."""
        return Statement(
            "frames.page",
            {"limit": self.limit, "offset": 0},
            {
                "keys": names_of(self.groups),
                "metrics": [column("metric0", size)],
                "facts": [facts],
                "order": self._order(),
            },
        )

    def statements(
        self,
        facts: Callable[[Range, Sequence[Statement]], Statement],
        page: Callable[[], Statement],
        metrics: Sequence[Statement],
    ) -> dict[str, Statement]:
        """What to ask; `facts` are those of a range, told apart by these columns."""
        asked = {}
        for prefix, time in (("", self.range), ("compare.", self.compare)):
            if time is None:
                continue
            asked[f"{prefix}rows"] = self._rows(facts(time, self.keys), page, metrics)
            if self.totals:
                asked[f"{prefix}totals"] = _over(facts(time, []), metrics, [])
        return asked

    def rows(self, tables: Tables) -> Iterator[Found]:
        """The rows of the answer."""
        now, then = self._by_key(tables["rows"]), self._by_key(tables.get("compare.rows"))
        groups = list(dict.fromkeys(key[:-1] for key in now)) if self.groups else [()]
        starts = self._starts(self.range)
        then_starts = self._starts(self.compare) if self.compare else ()
        for group in groups:
            values = self._values(group)
            if not starts:
                compared = then.get((*group, None), {}) if self.compare else None
                yield Found(values, now.get((*group, None), {}), compared, None)
            for number, start in enumerate(starts):
                key, there = (*group, number), number < len(then_starts)
                compared = then.get(key, {}) if there else None
                time = shown(then_starts[number]) if there else None
                yield Found(self._timed(values, start), now.get(key, {}), compared, time)

    def whole(self, tables: Tables) -> Found | None:
        """The row about everything, if it was asked for."""
        if not self.totals:
            return None
        compared = _only(tables["compare.totals"]) if self.compare else None
        return Found({}, _only(tables["totals"]), compared, None)

    def _rows(
        self, facts: Statement, page: Callable[[], Statement], metrics: Sequence[Statement]
    ) -> Statement:
        if not self.groups:
            return _over(facts, metrics, self.keys)
        parts = {
            "metrics": metrics,
            "facts": [facts],
            "keys": self.keys,
            "groups": names_of(self.groups),
            "page": [page()],
            "order": self._order(),
        }
        return Statement("frames.series", parts=parts)

    def _order(self) -> list[Statement]:
        rest = [by for n, group in enumerate(self.groups) for by in in_place(n, group)]
        first = Statement("frames.down", parts={"by": [named("metric0")]})
        return [first, *(Statement("frames.up", parts={"by": [one]}) for one in rest)]

    def _starts(self, time: Range) -> Sequence[int]:
        if not self.interval:
            return ()
        return bucket_starts(time.start, time.end, self.interval, ZoneInfo(self.zone))

    def _by_key(self, table: Any) -> dict[_Key, Row]:
        found = table.to_pylist() if table is not None else []
        found.sort(key=lambda row: row.get("place", 0))
        keys = key_columns(self.groups)
        return {(*(row[key] for key in keys), row.get("bucket")): row for row in found}

    def _values(self, group: _Key) -> dict[str, Value | int]:
        names = [name for name in self.dimensions if name != TIME]
        row = dict(zip(key_columns(self.groups), group, strict=True))
        return values_of(names, self.groups, row)

    def _timed(self, values: Mapping[str, Value | int], start: int) -> dict[str, Value | int]:
        there: dict[str, Value | int] = {TIME: shown(start), **values}
        return {name: there[name] for name in self.dimensions}


def breakdown_of(asked: Broken, frame: Frame, now_ms: int) -> Breakdown:
    """The breakdown of a document. Raises InvalidInput."""
    groups = groups_named(asked.dimensions)
    zone = zone_named(asked.tz)
    interval = interval_of(asked.interval, asked.dimensions, frame.range, zone)
    if interval:
        check_rows(frame.range, interval, asked.limit if groups else 1, MOST_ROWS)
    return Breakdown(
        dimensions=asked.dimensions,
        groups=groups,
        range=frame.range,
        compare=compared_with(asked.compare, frame.range, now_ms),
        interval=interval,
        zone=zone,
        limit=asked.limit,
        totals=asked.totals,
    )


def _over(facts: Statement, metrics: Sequence[Statement], keys: Sequence[Statement]) -> Statement:
    """The metrics of all groups of facts, or of all facts."""
    parts = {"metrics": metrics, "facts": [facts], "which": [EVERYTHING]}
    if not keys:
        return Statement("frames.whole", parts=parts)
    return Statement("frames.grouped", parts={**parts, "keys": keys})


def _only(table: Any) -> Row:
    found: list[Row] = table.to_pylist()
    return found[0] if found else {}
