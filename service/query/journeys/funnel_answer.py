"""From the tables that the store gave to the document of a funnel."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import isfinite
from typing import Any

import msgspec

from service.query.buckets import shown
from service.query.journeys.asked import Tables
from service.query.language.answer import certain, span_of
from service.query.language.conditions import column
from service.query.language.fields import Field
from service.query.language.grouping import key_columns, values_of
from service.query.language.question import TIME
from service.query.language.words import Span, Value
from service.query.parameters import Range
from service.storage.protocol import Statement

Seconds = dict[str, float | None]
"""By `p50` and the like."""


class StepTaken(msgspec.Struct, omit_defaults=True, rename="camel"):
    """How many users took a step, as a share of those who took the first and the one before."""

    name: str
    users: int
    share: float | None
    share_of_previous: float | None
    seconds_from_first: Seconds | None = None
    seconds_from_previous: Seconds | None = None


class FunnelCompared(msgspec.Struct, omit_defaults=True):
    """The same steps in the range that is compared with, and where their bucket begins there."""

    steps: list[StepTaken]
    time: str | None = None


class FunnelRow(msgspec.Struct, omit_defaults=True):
    """The steps of one group, of those who began in one bucket if time is a dimension."""

    dimensions: dict[str, Value | int]
    steps: list[StepTaken]
    compare: FunnelCompared | None = None


class FunnelTotals(msgspec.Struct, omit_defaults=True):
    """The steps of all users."""

    steps: list[StepTaken]
    compare: FunnelCompared | None = None


class FunnelDocument(msgspec.Struct, omit_defaults=True):
    """The answer to a funnel."""

    range: Span
    rows: list[FunnelRow]
    compare: Span | None = None
    totals: FunnelTotals | None = None


@dataclass(frozen=True, slots=True)
class FunnelShape:
    """What an answer has to show."""

    names: tuple[str, ...]
    """Of the steps."""
    percentiles: tuple[int, ...]
    dimensions: tuple[str, ...]
    groups: tuple[Field, ...]
    range: Range
    compare: Range | None

    def metrics(self) -> Iterator[Statement]:
        """What is counted over runs: who reached each step, and how long that took."""
        for step in range(1, len(self.names) + 1):
            yield column(f"reached{step}", Statement("journeys.reached", {"step": step}))
        for number, (step, since, percent) in enumerate(self._times()):
            seconds = {"step": step, "until": f"moment{step}", "since": f"moment{since}"}
            of = {"number": [Statement("journeys.seconds", seconds)]}
            level = {"level": percent / 100}
            yield column(f"seconds{number}", Statement("metrics.percentile", level, of))

    def steps(self, row: Mapping[str, Any] | None) -> list[StepTaken]:
        """The steps as answers show them; nobody took any where there is no row."""
        row = row or {}
        users = [row.get(f"reached{n}", 0) for n in range(1, len(self.names) + 1)]
        return [
            StepTaken(
                name,
                users[n],
                _share(users[n], users[0]),
                _share(users[n], users[max(n - 1, 0)]),
                self._seconds(row, n + 1, 1) if n else None,
                self._seconds(row, n + 1, n) if n else None,
            )
            for n, name in enumerate(self.names)
        ]

    def _seconds(self, row: Mapping[str, Any], step: int, since: int) -> Seconds:
        """The percentiles of the time between two steps."""
        places = {time: number for number, time in enumerate(self._times())}
        return {
            f"p{percent}": _number(row.get(f"seconds{places[step, since, percent]}"))
            for percent in self.percentiles
        }

    def _times(self) -> Iterator[tuple[int, int, int]]:
        """Step, since which other one, and percentile: each once."""
        for step in range(2, len(self.names) + 1):
            for since in {1: None, step - 1: None}:
                for percent in dict.fromkeys(self.percentiles):
                    yield step, since, percent


def funnel_document(
    shape: FunnelShape,
    tables: Tables,
    starts: Sequence[int],
    compare_starts: Sequence[int] = (),
) -> bytes:
    """The document as JSON; `starts` are where the buckets of both ranges begin, if there are."""
    return msgspec.json.encode(_Reading(shape, tables, starts, compare_starts).document())


class _Reading:
    def __init__(
        self,
        shape: FunnelShape,
        tables: Tables,
        starts: Sequence[int],
        compare_starts: Sequence[int],
    ) -> None:
        self._shape = shape
        self._starts, self._compare_starts = starts, compare_starts
        self._keys = key_columns(shape.groups)
        self._found = {name: self._by_key(table.to_pylist()) for name, table in tables.items()}

    def document(self) -> FunnelDocument:
        compare = self._shape.compare
        return FunnelDocument(
            range=span_of(self._shape.range),
            rows=[row for group in self._groups() for row in self._rows(group)],
            compare=span_of(compare) if compare else None,
            totals=self._totals() if "totals" in self._found else None,
        )

    def _by_key(self, rows: Sequence[dict[str, Any]]) -> dict[tuple[Any, ...], dict[str, Any]]:
        found = sorted(rows, key=lambda row: row.get("place", 0))
        return {(*(row.get(key) for key in self._keys), row.get("bucket")): row for row in found}

    def _groups(self) -> list[tuple[Any, ...]]:
        """The groups in their order."""
        if not self._keys:
            return [()]
        return list(dict.fromkeys(key[:-1] for key in self._found["rows"]))

    def _rows(self, group: tuple[Any, ...]) -> Iterator[FunnelRow]:
        named = [name for name in self._shape.dimensions if name != TIME]
        values = values_of(named, self._shape.groups, dict(zip(self._keys, group, strict=True)))
        for number in range(len(self._starts)) if self._starts else [None]:
            time = {} if number is None else {TIME: shown(self._starts[number])}
            there = time | values
            in_order = {name: there[name] for name in self._shape.dimensions}
            steps = self._shape.steps(self._found["rows"].get((*group, number)))
            yield FunnelRow(in_order, steps, self._compared("rows", group, number))

    def _compared(
        self, name: str, group: tuple[Any, ...], number: int | None
    ) -> FunnelCompared | None:
        if self._shape.compare is None:
            return None
        if number is not None and number >= len(self._compare_starts):
            return None
        steps = self._shape.steps(self._found[f"compare.{name}"].get((*group, number)))
        time = None if number is None else shown(self._compare_starts[number])
        return FunnelCompared(steps, time)

    def _totals(self) -> FunnelTotals:
        nothing = (None,) * len(self._keys)
        steps = self._shape.steps(self._found["totals"].get((*nothing, None)))
        return FunnelTotals(steps, self._compared("totals", nothing, None))


def _share(part: int, whole: int) -> float | None:
    return certain(part / whole) if whole else None


def _number(found: float | None) -> float | None:
    return certain(found) if found is not None and isfinite(found) else None
