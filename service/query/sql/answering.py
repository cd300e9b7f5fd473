"""The answer to a query as users read it: columns, and rows with a value for each of them."""

from collections.abc import Callable, Mapping
from math import isfinite
from typing import Any

import msgspec
import pyarrow as pa
import pyarrow.types as kinds

from service.formats.columns import Column, Kind, table_of
from service.query.buckets import shown
from service.query.sql.reading import Sql


class SqlColumn(msgspec.Struct):
    """A column's name, and what it holds; times are ISO 8601 texts in UTC."""

    name: str
    type: Kind


class SqlRows(msgspec.Struct):
    """Up to as many rows as were asked for; `truncated` says whether there are more."""

    columns: list[SqlColumn]
    rows: list[list[Any]]
    truncated: bool


def sql_document(answer: pa.Table, limit: int) -> bytes:
    """The document as JSON."""
    asked = answer.slice(0, limit)
    columns = [_values(column) for column in asked.columns]
    read = zip(asked.column_names, columns, strict=True)
    document = SqlRows(
        [SqlColumn(name, kind) for name, (kind, _) in read],
        [list(row) for row in zip(*(values for _, values in columns), strict=True)],
        answer.num_rows > limit,
    )
    return msgspec.json.encode(document)


def sql_table(_: Sql, document: Mapping[str, Any]) -> pa.Table:
    """The rows of a document as a table."""
    columns = [Column(column["name"], column["type"]) for column in document["columns"]]
    names = [column.name for column in columns]
    return table_of(columns, (dict(zip(names, row, strict=True)) for row in document["rows"]))


def _values(column: pa.ChunkedArray) -> tuple[Kind, list[Any]]:
    kind = column.type
    if kinds.is_timestamp(kind) or kinds.is_date(kind):
        moments = column.cast(pa.timestamp("ms"), safe=False).cast(pa.int64())
        return "time", [None if at is None else shown(at) for at in moments.to_pylist()]
    if kinds.is_boolean(kind):
        return "truth", column.to_pylist()
    if kinds.is_integer(kind):
        return "whole", column.to_pylist()
    if kinds.is_decimal(kind):
        whole = kind.scale == 0
        return _numbers(column, int if whole else float, "whole" if whole else "number")
    if kinds.is_floating(kind):
        return _numbers(column, float, "number")
    if kinds.is_list(kind) or kinds.is_null(kind):
        return "any", column.to_pylist()
    if kinds.is_string(kind):
        return "text", column.to_pylist()
    return "text", [None if value is None else str(value) for value in column.to_pylist()]


def _numbers(
    column: pa.ChunkedArray, read: Callable[[Any], float], kind: Kind
) -> tuple[Kind, list[Any]]:
    """Numbers as JSON has them: what is none, or endless, is null."""
    found = (None if value is None else read(value) for value in column.to_pylist())
    return kind, [None if value is None or not isfinite(value) else value for value in found]
