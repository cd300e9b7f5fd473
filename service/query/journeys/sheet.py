"""The answer to a question about journeys as a table."""

from collections.abc import Iterator, Mapping
from typing import Any

import pyarrow as pa

from service.formats.columns import Column, columns_in, flat, table_of
from service.query.journeys.asked import Question
from service.query.language.question import TIME

PLACE = "place"
"""The number of a step or period among those of its row, from 0."""


def journey_table(_: Question, document: Mapping[str, Any]) -> pa.Table:
    """A line for each row; for a row with lists of its own (steps, periods) one for each place."""
    rows = next((value for value in document.values() if isinstance(value, list)), [])
    lines = [line for row in rows for line in _lines(row)]
    columns = [
        Column(TIME, "time") if column.name == TIME else column for column in columns_in(lines)
    ]
    return table_of(columns, lines)


def _lines(row: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """Dimensions and metrics by their names, what else there is with its place before it."""
    lists = {name: value for name, value in row.items() if _has_places(value)}
    rest = {name: row[name] for name in row if name not in {*_BARE, *lists}}
    bare = flat({name: value for part in _BARE for name, value in row.get(part, {}).items()})
    shared = {**bare, **flat(rest)}
    if not lists:
        yield shared
        return
    for number in range(max(map(len, lists.values()))):
        parts = {name: value[number] for name, value in lists.items() if number < len(value)}
        yield {**shared, PLACE: number, **flat(parts)}


_BARE = ("dimensions", "metrics")


def _has_places(value: Any) -> bool:
    """Whether it is a list of objects or numbers; one of texts is a value."""
    return isinstance(value, list) and not any(isinstance(one, str) for one in value)
