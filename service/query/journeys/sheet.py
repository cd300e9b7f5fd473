"""The answer to a question about journeys as a table."""

from collections.abc import Iterator, Mapping
from typing import Any

import pyarrow as pa

from service.formats.columns import Column, columns_in, flat, table_of
from service.query.journeys.asked import Question
from service.query.language.question import TIME


def journey_table(_: Question, document: Mapping[str, Any]) -> pa.Table:
    """A line for each row; for a row with a list of its own (steps), one for each of its parts."""
    lines = [line for row in document["rows"] for line in _lines(row)]
    columns = [
        Column(TIME, "time") if column.name == TIME else column for column in columns_in(lines)
    ]
    return table_of(columns, lines)


def _lines(row: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """Dimensions and metrics by their names, what else there is with its place before it."""
    own = {"dimensions", "metrics"}
    lists = [name for name, value in row.items() if isinstance(value, list)]
    rest = {name: value for name, value in row.items() if name not in {*own, *lists[:1]}}
    shared = {**row.get("dimensions", {}), **flat(row.get("metrics", {})), **flat(rest)}
    if not lists:
        yield shared
        return
    for part in row[lists[0]]:
        yield {**shared, **flat({lists[0]: part})}
