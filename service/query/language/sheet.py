"""An answer as a table: a column for each dimension and metric, and for what is compared."""

from collections.abc import Mapping
from typing import Any

import pyarrow as pa

from service.formats.columns import Column, Kind, table_of
from service.query.language import fields
from service.query.language.fields import Field
from service.query.language.question import TIME, Question


def query_table(question: Question, document: Mapping[str, Any]) -> pa.Table:
    """The rows of a document; its totals and the other groups are in no table."""
    return table_of(_columns(question), map(_row, document["rows"]))


def _row(row: Mapping[str, Any]) -> dict[str, Any]:
    compared = row.get("compare") or {}
    return {
        **row["dimensions"],
        **row["metrics"],
        **{f"compare.{name}": value for name, value in compared.get("metrics", {}).items()},
        f"compare.{TIME}": compared.get(TIME),
    }


def _columns(question: Question) -> list[Column]:
    groups = iter(question.groups)
    dimensions = [
        Column(TIME, "time") if name == TIME else Column(name, _kind(next(groups)))
        for name in question.dimensions
    ]
    metrics = [
        Column(metric.name, "whole" if metric.whole else "number") for metric in question.metrics
    ]
    if not question.compare:
        return [*dimensions, *metrics]
    compared = [Column(f"compare.{metric.name}", metric.kind) for metric in metrics]
    times = [Column(f"compare.{TIME}", "time")] if question.interval else []
    return [*dimensions, *metrics, *times, *compared]


def _kind(field: Field) -> Kind:
    if isinstance(field, fields.Column):
        return "text"
    return "number" if isinstance(field, fields.Number) else "any"
