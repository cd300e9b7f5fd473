"""From the tables that the store gave to the document that callers read.

With the dimension `time` each group has a row for every bucket of the range, one after the other,
those without events too.
"""

from collections.abc import Mapping, Sequence
from math import isfinite
from typing import Any

import msgspec
import pyarrow as pa

from service.query.buckets import shown
from service.query.language.grouping import key_columns, values_of
from service.query.language.metrics import Metric
from service.query.language.planning import Plan
from service.query.language.question import TIME, Cursor, Question
from service.query.language.words import Span, Value
from service.query.parameters import Range

Values = dict[str, int | float | None]
"""Whole numbers stay whole when a document is read again."""


class Compared(msgspec.Struct, omit_defaults=True):
    """The same metrics in the range that is compared with, and where their bucket begins there."""

    metrics: Values
    time: str | None = None


class Row(msgspec.Struct, omit_defaults=True):
    """The metrics of one group, in one bucket if time is a dimension."""

    dimensions: dict[str, Value | int]
    metrics: Values
    compare: Compared | None = None


class Totals(msgspec.Struct, omit_defaults=True):
    """The metrics of all events of the range."""

    metrics: Values
    compare: Compared | None = None


class QueryDocument(msgspec.Struct, omit_defaults=True):
    """The answer to a query."""

    range: Span
    rows: list[Row]
    cursor: str | None
    """Where the next page begins, if there are more groups."""
    compare: Span | None = None
    totals: Totals | None = None
    other: list[Row] | None = None
    """All groups that are not among the rows, as one."""


_Key = tuple[Any, ...]
_Tables = Mapping[str, Mapping[_Key, dict[str, Any]]]


def answer_question(question: Question, plan: Plan, tables: Mapping[str, pa.Table]) -> bytes:
    """The document as JSON, from the answers to the statements of the plan."""
    return msgspec.json.encode(_Reading(question, plan, tables).document())


class _Reading:
    def __init__(self, question: Question, plan: Plan, tables: Mapping[str, pa.Table]) -> None:
        self._question = question
        self._plan = plan
        self._keys = key_columns(question.groups)
        self._page = self._groups(tables["rows"]) if question.groups else [()]
        self._found = {name: self._by_key(table) for name, table in tables.items()}

    def document(self) -> QueryDocument:
        question = self._question
        limit = question.limit
        return QueryDocument(
            range=span_of(question.range),
            rows=[row for group in self._page[:limit] for row in self._rows("rows", group)],
            compare=span_of(question.compare) if question.compare else None,
            totals=self._totals() if question.totals else None,
            other=list(self._rows("other", ())) if question.other else None,
            cursor=self._cursor() if len(self._page) > limit else None,
        )

    def _groups(self, rows: pa.Table) -> list[_Key]:
        """The groups of the page, and the one after it, if there is one."""
        found = rows.to_pylist()
        if self._question.interval:
            found.sort(key=lambda row: row["place"])
        return list(dict.fromkeys(tuple(row[name] for name in self._keys) for row in found))

    def _rows(self, name: str, group: _Key) -> list[Row]:
        """The rows of a group: one, or one for each bucket."""
        values = self._values_of(group) if group else {}
        if not self._question.interval:
            found = self._metrics(name, group, _length(self._question.range))
            return [Row(values, found, self._compared(name, group))]
        order = range(len(self._plan.starts))
        rows = [self._bucket(name, group, values, number) for number in order]
        return rows[::-1] if self._question.backwards else rows

    def _bucket(self, name: str, group: _Key, values: dict[str, Any], number: int) -> Row:
        time, starts = self._question.range, self._plan.starts
        dimensions = {TIME: shown(starts[number]), **values}
        found = self._metrics(name, (*group, number), _length(time, starts, number))
        compared = self._compared(name, group, number)
        in_order = {key: dimensions[key] for key in self._question.dimensions if key in dimensions}
        return Row(in_order, found, compared)

    def _compared(self, name: str, group: _Key, number: int | None = None) -> Compared | None:
        time, starts = self._question.compare, self._plan.compare_starts
        if time is None or (number is not None and number >= len(starts)):
            return None
        if number is None:
            return Compared(self._metrics(f"compare.{name}", group, _length(time)))
        length = _length(time, starts, number)
        found = self._metrics(f"compare.{name}", (*group, number), length)
        return Compared(found, shown(starts[number]))

    def _totals(self) -> Totals:
        compared = self._question.compare
        return Totals(
            self._metrics("totals", (), _length(self._question.range)),
            Compared(self._metrics("compare.totals", (), _length(compared))) if compared else None,
        )

    def _metrics(self, name: str, key: _Key, length: int) -> Values:
        row = self._found[name].get(key)
        metrics = self._question.metrics
        if row is None:
            return {metric.name: metric.of_nothing for metric in metrics}
        return {
            metric.name: _shown(metric, row[f"metric{n}"], length)
            for n, metric in enumerate(metrics)
        }

    def _by_key(self, table: pa.Table) -> dict[_Key, dict[str, Any]]:
        names = [name for name in (*self._keys, "bucket") if name in table.column_names]
        return {tuple(row[name] for name in names): row for row in table.to_pylist()}

    def _values_of(self, group: _Key) -> dict[str, Value | int]:
        found = dict(zip(self._keys, group, strict=True))
        names = [name for name in self._question.dimensions if name != TIME]
        return values_of(names, self._question.groups, found)

    def _cursor(self) -> str:
        time, question = self._question.range, self._question
        place = Cursor(time.start, time.end, question.offset + question.limit)
        return place.sealed(question.document)


def _shown(metric: Metric, value: float | None, length: int) -> float | None:
    if value is None or not isfinite(value):
        return metric.of_nothing
    if metric.whole:
        return value
    return certain(1000 * value / length if metric.kind == "rate" else value)


def certain(number: float) -> float:
    """A whole number as it is, another one with the 15 digits that do not depend on the order in
    which an engine adds."""
    return number if float(number).is_integer() else float(f"{number:.15g}")


def span_of(time: Range) -> Span:
    """A range as answers show it."""
    return Span(shown(time.start), shown(time.end))


def _length(time: Range, starts: Sequence[int] = (), number: int | None = None) -> int:
    """How long a range is, or what of it lies in a bucket, in ms."""
    if number is None:
        return time.end - time.start
    end = starts[number + 1] if number + 1 < len(starts) else time.end
    return end - max(starts[number], time.start)
