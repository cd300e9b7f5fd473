"""The formats in which ClickHouse answers, and the tables that they are.

Arrow is the fastest. JSONCompact alone ends with what was read
(https://clickhouse.com/docs/interfaces/formats/JSONCompact).
"""

import re
from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime
from typing import Any

import msgspec
import pyarrow as pa

from service.storage.cost import Cost, with_cost


class _Column(msgspec.Struct):
    name: str
    type: str


class _Statistics(msgspec.Struct):
    rows_read: int
    bytes_read: int


class _Answer(msgspec.Struct):
    meta: list[_Column]
    data: list[list[Any]]
    statistics: _Statistics


def format_of(costs: bool) -> str:
    """The format to ask for, if the table shall know its cost or not."""
    return "JSONCompact" if costs else "ArrowStream"


def table_in(answer: bytes, costs: bool) -> pa.Table:
    """The table in an answer of that format."""
    if costs:
        return _table(answer)
    return pa.ipc.open_stream(answer).read_all() if answer else pa.table({})


def _table(text: bytes) -> pa.Table:
    answer = msgspec.json.decode(text, type=_Answer)
    columns = zip(*answer.data, strict=True) if answer.data else ((),) * len(answer.meta)
    arrays = [_array(c.type, v) for c, v in zip(answer.meta, columns, strict=True)]
    table = pa.Table.from_arrays(arrays, [column.name for column in answer.meta])
    return with_cost(table, Cost(answer.statistics.rows_read, answer.statistics.bytes_read))


def _array(kind: str, values: Sequence[Any]) -> pa.Array:
    arrow, read = _read_as(kind)
    return pa.array([None if value is None else read(value) for value in values], arrow)


def _read_as(kind: str) -> tuple[pa.DataType, Callable[[Any], Any]]:
    """How a column of one of ClickHouse's types is read; what is not known here is JSON text."""
    while wrapped := _WRAPPED.fullmatch(kind):
        kind = wrapped[1]
    name, _, inside = kind.partition("(")
    if name == "Array":
        element, read = _read_as(inside[:-1])
        return pa.list_(element), lambda values: [v if v is None else read(v) for v in values]
    return _KINDS.get(name, (pa.string(), _text))


def _text(value: Any) -> str:
    return value if isinstance(value, str) else msgspec.json.encode(value).decode()


def _moment(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


_WRAPPED = re.compile(r"(?:Nullable|LowCardinality)\((.*)\)", re.S)
_WHOLE = {
    f"{sign}Int{bits}": getattr(pa, f"{sign.lower()}int{bits}")()
    for sign in ("", "U")
    for bits in (8, 16, 32, 64)
}
_KINDS: dict[str, tuple[pa.DataType, Callable[[Any], Any]]] = {
    **{name: (arrow, int) for name, arrow in _WHOLE.items()},
    "Float32": (pa.float64(), float),
    "Float64": (pa.float64(), float),
    "Decimal": (pa.float64(), float),
    "Bool": (pa.bool_(), bool),
    "Nothing": (pa.null(), lambda _: None),
    "Date": (pa.date32(), date.fromisoformat),
    "Date32": (pa.date32(), date.fromisoformat),
    "DateTime": (pa.timestamp("ms", "UTC"), _moment),
    "DateTime64": (pa.timestamp("ms", "UTC"), _moment),
}
"""Times are told in UTC: no statement asks for another zone."""
