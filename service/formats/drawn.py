"""Tables for programs that draw them: Prometheus, Grafana.

A table's columns are its dimensions, by their names; all others are numbers.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import msgspec
import pyarrow as pa
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from service.errors import InvalidInput
from service.formats.choice import GRAFANA, PROMETHEUS, SERIES, Format

MOST_SERIES = 2_000
"""Gauges that one answer may have: rows times metrics."""
TIME = "time"

_FORBIDDEN = re.compile(r"[^a-zA-Z0-9_]+")


@dataclass(frozen=True, slots=True)
class Drawing:
    """What is drawn: under which name, and which of the columns are dimensions."""

    name: str
    dimensions: Sequence[str]

    def encoded(self, form: Format, table: pa.Table) -> bytes:
        """The table in one of the forms `DRAWN`. Raises InvalidInput for what it cannot show."""
        if form is PROMETHEUS:
            return _gauges(self, table)
        return {GRAFANA: _rows, SERIES: _series}[form](self, table)


def _gauges(drawing: Drawing, table: pa.Table) -> bytes:
    """A gauge for each number (https://prometheus.io/docs/instrumenting/exposition_formats/)."""
    if TIME in drawing.dimensions:
        raise InvalidInput("a gauge is of now: leave the dimension `time` out", "format")
    metrics = [name for name in table.column_names if name not in drawing.dimensions]
    if (count := table.num_rows * len(metrics)) > MOST_SERIES:
        raise InvalidInput(
            f"these are {count} gauges; there may be {MOST_SERIES}: lower the `limit`", "format"
        )
    registry = CollectorRegistry()
    registry.register(_Gauges(drawing, metrics, table.to_pylist()))
    return generate_latest(registry)


class _Gauges(Collector):
    def __init__(
        self, drawing: Drawing, metrics: Sequence[str], rows: Sequence[Mapping[str, Any]]
    ) -> None:
        self._drawing = drawing
        self._metrics = metrics
        self._rows = rows

    def collect(self) -> Iterator[GaugeMetricFamily]:
        labels = _named(self._drawing.dimensions)
        names = _named(self._metrics)
        head = f"headrace_{_word(self._drawing.name)}"
        for metric, name in zip(self._metrics, names, strict=True):
            about = f"{metric} of the saved question {self._drawing.name}"
            family = GaugeMetricFamily(f"{head}_{name}", about, labels=labels)
            for row in self._rows:
                if row[metric] is not None:
                    values = [_label(row[of]) for of in self._drawing.dimensions]
                    family.add_metric(values, row[metric])
            yield family


def _rows(drawing: Drawing, table: pa.Table) -> bytes:
    """The rows as Grafana's Infinity source reads them: a list of objects, times in ms."""
    return msgspec.json.encode([_with_ms(row) for row in table.to_pylist()])


def _series(drawing: Drawing, table: pa.Table) -> bytes:
    """As Grafana's JSON source reads them: with `time` a series each, otherwise one table."""
    rows = [_with_ms(row) for row in table.to_pylist()]
    if TIME in drawing.dimensions:
        return msgspec.json.encode(_targets(drawing, table.column_names, rows))
    kinds = [{"text": field.name, "type": _kind(field.type)} for field in table.schema]
    lines = [list(row.values()) for row in rows]
    return msgspec.json.encode([{"type": "table", "columns": kinds, "rows": lines}])


def _targets(
    drawing: Drawing, names: Sequence[str], rows: Sequence[Mapping[str, Any]]
) -> list[dict[str, Any]]:
    groups = [name for name in drawing.dimensions if name != TIME]
    metrics = [name for name in names if name not in drawing.dimensions and not _is_time(name)]
    points: dict[str, list[Any]] = {}
    for row in rows:
        group = [_label(row[name]) for name in groups]
        for metric in metrics:
            points.setdefault(" ".join([*group, metric]), []).append([row[metric], row[TIME]])
    return [{"target": target, "datapoints": found} for target, found in points.items()]


def _is_time(name: str) -> bool:
    return name.endswith(f".{TIME}")


def _with_ms(row: Mapping[str, Any]) -> dict[str, Any]:
    return {name: _ms(value) if _is_moment(value) else value for name, value in row.items()}


def _is_moment(value: Any) -> bool:
    return isinstance(value, datetime)


def _ms(moment: datetime) -> int:
    return round(moment.timestamp() * 1000)


def _kind(kind: pa.DataType) -> str:
    if pa.types.is_timestamp(kind):
        return "time"
    return "number" if pa.types.is_integer(kind) or pa.types.is_floating(kind) else "string"


def _named(names: Sequence[str]) -> list[str]:
    """A name of letters, digits and _ for each, no two the same."""
    found: list[str] = []
    for name in names:
        word, number = _word(name), 2
        while word in found:
            word, number = f"{_word(name)}_{number}", number + 1
        found.append(word)
    return found


def _word(text: str) -> str:
    word = _FORBIDDEN.sub("_", text).strip("_") or "x"
    return f"x{word}" if word[0].isdigit() else word


def _label(value: Any) -> str:
    if value is None:
        return ""
    return value if isinstance(value, str) else msgspec.json.encode(value).decode()
