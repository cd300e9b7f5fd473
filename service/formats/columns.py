"""From rows as a document has them to a table whose columns each hold one kind of value."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

import msgspec
import pyarrow as pa

Kind = Literal["text", "number", "whole", "truth", "time", "any"]
"""What a column holds; of `any` its values decide: those of several kinds become texts."""

MOMENT = pa.timestamp("ms", tz="UTC")
"""A time, as tables hold it."""
DOCUMENT = pa.json_(pa.string())
"""A JSON text, which NDJSON writes as what it says."""

_TYPES = {
    "text": pa.string(),
    "number": pa.float64(),
    "whole": pa.int64(),
    "truth": pa.bool_(),
    "time": MOMENT,
}


@dataclass(frozen=True, slots=True)
class Column:
    """A column: its name, and what it holds. Times are ISO 8601 texts in the rows."""

    name: str
    kind: Kind = "any"


def table_of(columns: Sequence[Column], rows: Iterable[Mapping[str, Any]]) -> pa.Table:
    """The rows as a table; what a row lacks is null."""
    found = list(rows)
    values = {column: [row.get(column.name) for row in found] for column in columns}
    return pa.Table.from_arrays(
        [_array(column.kind, given) for column, given in values.items()],
        names=[column.name for column in columns],
    )


def columns_in(rows: Iterable[Mapping[str, Any]]) -> list[Column]:
    """A column for each name in the rows, in the order in which they come."""
    return [Column(name) for name in dict.fromkeys(name for row in rows for name in row)]


def flat(row: Mapping[str, Any], before: str = "") -> dict[str, Any]:
    """A row whose objects have become columns of their own, named with a dot between."""
    found: dict[str, Any] = {}
    for name, value in row.items():
        if isinstance(value, Mapping):
            found |= flat(value, f"{before}{name}.")
        else:
            found[f"{before}{name}"] = value
    return found


def _array(kind: Kind, values: Sequence[Any]) -> pa.Array:
    if kind == "any":
        kind = _kind_of(values)
        if kind == "text":
            values = [_text(value) for value in values]
    if kind == "time":
        values = [None if value is None else datetime.fromisoformat(value) for value in values]
    return pa.array(values, _TYPES[kind])


def _kind_of(values: Sequence[Any]) -> Kind:
    types = {type(value) for value in values if value is not None}
    if types and types <= {int, float}:
        return "number"
    return "truth" if types == {bool} else "text"


def _text(value: Any) -> str | None:
    """A text as it is, another value as JSON."""
    if value is None or isinstance(value, str):
        return value
    return msgspec.json.encode(value).decode()
