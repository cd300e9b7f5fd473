"""The range of time that a query asks of a table, so that an engine reads no other rows.

A view of events lets nothing through that users write (docs/decisions/0018). What they say of
`timestamp` is therefore looked up here, and told to the view in numbers.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime

from sqlglot import exp

from service.query.catalog import DAY, HOUR, MINUTE, SECOND, WEEK
from service.query.parameters import EARLIEST, LATEST

Values = Mapping[str, str | int | float | bool | None]
_LENGTHS = {"SECOND": SECOND, "MINUTE": MINUTE, "HOUR": HOUR, "DAY": DAY, "WEEK": WEEK}
_Kind = type[exp.Expr]
_MIRRORED: Mapping[_Kind, _Kind] = {
    exp.GT: exp.LT,
    exp.GTE: exp.LTE,
    exp.LT: exp.GT,
    exp.LTE: exp.GTE,
    exp.EQ: exp.EQ,
}


def bounds_of(table: exp.Table, values: Values, now: int) -> tuple[int, int]:
    """From when up to before when the query around a table can use its rows; ms since 1970."""
    start, end = EARLIEST, LATEST + 1
    for kind, at in _conditions(table, values, now):
        if kind in (exp.GT, exp.GTE, exp.EQ):
            start = max(start, at)
        if kind in (exp.LT, exp.LTE, exp.EQ):
            end = min(end, at + 1)
    return start, end


def moment_of(text: str) -> int:
    """A time as people write it, in ms since 1970; UTC where it has no offset. ValueError."""
    found = datetime.fromisoformat(text)
    aware = found if found.tzinfo else found.replace(tzinfo=UTC)
    return round(aware.timestamp() * 1000)


def _conditions(table: exp.Table, values: Values, now: int) -> Iterator[tuple[_Kind, int]]:
    """What has to hold of the table's times, in the `WHERE` of the query that reads it."""
    select = table.find_ancestor(exp.Select)
    where = select.args.get("where") if select else None
    for condition in _all_of(where.this) if where else ():
        for kind, side in _sides(condition, table):
            if (at := _moment(side, values, now)) is not None:
                yield kind, at


def _all_of(condition: exp.Expr) -> Iterable[exp.Expr]:
    return condition.flatten() if isinstance(condition, exp.And) else [condition]


def _sides(condition: exp.Expr, table: exp.Table) -> Sequence[tuple[_Kind, exp.Expr]]:
    """How a condition compares the table's time, and with what."""
    if isinstance(condition, exp.Between) and _is_time_of(condition.this, table):
        return ((exp.GTE, condition.args["low"]), (exp.LTE, condition.args["high"]))
    kind = type(condition)
    if kind in _MIRRORED and _is_time_of(condition.this, table):
        return ((kind, condition.expression),)
    if kind in _MIRRORED and _is_time_of(condition.expression, table):
        return ((_MIRRORED[kind], condition.this),)
    return ()


def _is_time_of(node: exp.Expr, table: exp.Table) -> bool:
    return (
        isinstance(node, exp.Column)
        and node.name == "timestamp"
        and node.table == table.alias_or_name
    )


def _moment(node: exp.Expr, values: Values, now: int) -> int | None:
    """The time that a constant stands for, if it is one."""
    if isinstance(node, exp.Paren | exp.Cast | exp.TryCast):
        return _moment(node.this, values, now)
    if isinstance(node, exp.CurrentTimestamp):
        return now
    if isinstance(node, exp.Add | exp.Sub) and isinstance(node.expression, exp.Interval):
        start, length = _moment(node.this, values, now), _length(node.expression)
        sign = 1 if isinstance(node, exp.Add) else -1
        return None if start is None or length is None else start + sign * length
    text = values.get(node.name) if isinstance(node, exp.Placeholder) else None
    if isinstance(node, exp.Literal) and node.is_string:
        text = node.name
    try:
        return moment_of(text) if isinstance(text, str) else None
    except ValueError:
        return None


def _length(interval: exp.Interval) -> int | None:
    unit = _LENGTHS.get(interval.args["unit"].name.upper().removesuffix("S"))
    return None if unit is None else unit * int(interval.this.name)
