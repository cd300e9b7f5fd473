"""Whether a parsed query keeps to the grammar: each node, each of its parts, each name."""

import re
from collections.abc import Callable, Iterator, Mapping
from difflib import get_close_matches

from sqlglot import exp

from service.errors import InvalidSql, SqlNotAllowed
from service.query.sql.functions import EXTRACTED, FUNCTIONS, NAMES
from service.query.sql.grammar import NODES, OTHER_TYPES, TABLES, TYPES, UNITS

_NAME = re.compile(r"[^\W\d]\w{0,127}")
_NUMBER = re.compile(r"(\d{1,40}(\.\d{0,40})?|\.\d{1,40})([eE][+-]?\d{1,3})?")
_AMOUNT = re.compile(r"\d{1,6}")


def check(tree: exp.Expr) -> None:
    """Raises SqlNotAllowed or InvalidSql for the first thing that may not stand in a query."""
    names = {cte.alias.lower() for cte in tree.find_all(exp.CTE)}
    for node in tree.walk():
        _check_kind(node)
        _check_parts(node)
        if check_one := _CHECKS.get(type(node)):
            check_one(node)
        if isinstance(node, exp.Table):
            _check_table(node, names)


def check_columns(tree: exp.Expr) -> None:
    """Once names are resolved each column is one of a table, or stands for what is selected."""
    for column in tree.find_all(exp.Column, exp.TableColumn):
        if isinstance(column, exp.Column) and column.table:
            continue
        if column.name in _selected_before(column):
            continue
        raise InvalidSql.at(place_of(column), f"there is no column {column.name} here")


def place_of(node: exp.Expr) -> tuple[int, int]:
    """Line and column of a node in the text, from 1, of what is in it or around it; 0: unknown."""
    for near in (*node.walk(), *_around(node)):
        if "line" in near.meta:
            start = near.meta["col"] - (near.meta["end"] - near.meta["start"])
            return near.meta["line"], max(1, start)
    return 0, 0


def _around(node: exp.Expr) -> Iterator[exp.Expr]:
    while node.parent is not None:
        node = node.parent
        yield node


def _selected_before(column: exp.Expr) -> set[str]:
    """What a name after `SELECT …` can stand for: what is selected there."""
    part: exp.Expr = column
    while part.parent is not None and not isinstance(part.parent, exp.Query):
        part = part.parent
    query = part.parent
    if not isinstance(query, exp.Query) or part.arg_key == "expressions":
        return set()
    return set(query.named_selects)


def _check_kind(node: exp.Expr) -> None:
    if type(node) in NODES:
        return
    if isinstance(node, exp.Func):
        raise _no_function(node)
    about = _WHY.get(type(node), f"{_said(node)} is not allowed here")
    raise SqlNotAllowed.at(place_of(node), about)


def _no_function(node: exp.Func) -> SqlNotAllowed:
    name = (node.name if isinstance(node, exp.Anonymous) else node.sql_name()).lower()
    if isinstance(node.parent, exp.Table):
        return SqlNotAllowed.at(place_of(node), "there are no table functions here")
    close = get_close_matches(name, NAMES, 1)
    meant = f"; did you mean {close[0]}?" if close else ""
    about = f"there is no function {name[:60]} here{meant}; docs/api-sql.md lists those there are"
    return SqlNotAllowed.at(place_of(node), about)


def _check_parts(node: exp.Expr) -> None:
    for part, value in node.args.items():
        if part not in NODES[type(node)] and value not in (None, False, []):
            about = f"{part.strip('_').upper()} is not allowed in {_said(node)}"
            raise SqlNotAllowed.at(place_of(node), about)


def _check_table(table: exp.Expr, defined: set[str]) -> None:
    name = table.name.lower()
    if not isinstance(table.this, exp.Identifier):
        raise SqlNotAllowed.at(place_of(table), "there are no table functions here")
    if name in TABLES or name in defined:
        return
    there = ", ".join(TABLES)
    raise SqlNotAllowed.at(place_of(table), f"there is no table {name[:60]}; there are {there}")


def _check_cte(cte: exp.Expr) -> None:
    if cte.alias.lower() in TABLES:
        raise SqlNotAllowed.at(place_of(cte), f"the name {cte.alias} is taken")


def _check_identifier(node: exp.Expr) -> None:
    if not _NAME.fullmatch(node.name):
        about = "a name has letters, digits and underscores, and begins with no digit"
        raise SqlNotAllowed.at(place_of(node), about)


def _check_literal(node: exp.Expr) -> None:
    if not node.is_string and not _NUMBER.fullmatch(node.name):
        raise InvalidSql.at(place_of(node), f"this is no number: {node.name[:40]}")


def _check_type(node: exp.Expr) -> None:
    kind = OTHER_TYPES.get(node.this, node.this)
    if kind not in TYPES.values() or node.args.get("nested"):
        raise SqlNotAllowed.at(place_of(node), f"a type is one of {', '.join(TYPES)}")


def _check_tuple(node: exp.Expr) -> None:
    if not isinstance(node.parent, exp.In):
        raise SqlNotAllowed.at(place_of(node), "a list in brackets stands after IN alone")


def _check_interval(node: exp.Expr) -> None:
    if not isinstance(node.parent, exp.Add | exp.Sub):
        raise SqlNotAllowed.at(place_of(node), "an interval is added to a time, or subtracted")
    unit = node.args.get("unit")
    if not (
        isinstance(node.this, exp.Literal)
        and _AMOUNT.fullmatch(node.this.name)
        and isinstance(unit, exp.Var)
        and _unit(unit) in UNITS
    ):
        about = f"an interval is a whole number and a unit: {', '.join(UNITS)}"
        raise InvalidSql.at(place_of(node), about)


def _check_unit(node: exp.Expr) -> None:
    unit = node.args["unit"]
    if not isinstance(unit, exp.Var) or _unit(unit) not in UNITS:
        raise InvalidSql.at(place_of(node), f"a unit is one of {', '.join(UNITS)}")


def _check_extract(node: exp.Expr) -> None:
    if node.name.upper() not in EXTRACTED:
        there = ", ".join(EXTRACTED)
        raise InvalidSql.at(place_of(node), f"extract takes {there}")


def _check_join(node: exp.Expr) -> None:
    if node.args.get("kind", "") not in ("", "INNER", "OUTER", "CROSS"):
        raise SqlNotAllowed.at(place_of(node), f"there is no {node.args['kind']} JOIN here")


def _check_bound(node: exp.Expr) -> None:
    if not (isinstance(node.expression, exp.Literal) and node.expression.is_int):
        raise InvalidSql.at(place_of(node), "LIMIT and OFFSET take a whole number")


def _check_pattern(node: exp.Expr) -> None:
    if not isinstance(node.expression, exp.Literal | exp.Placeholder):
        raise SqlNotAllowed.at(place_of(node), "a pattern is a constant or a parameter")


def _check_path(node: exp.Expr) -> None:
    if not isinstance(node.expression, exp.JSONPath) or not node.expression.find(exp.JSONPathKey):
        raise SqlNotAllowed.at(place_of(node), "a path is a constant like '$.cart.total' or 'cart'")


def _check_key(node: exp.Expr) -> None:
    if not isinstance(node.this, str):
        raise SqlNotAllowed.at(place_of(node), "a path is made of keys: no *, no ranges")


def _check_frame(node: exp.Expr) -> None:
    for side in ("start", "end"):
        bound = node.args.get(side)
        if isinstance(bound, exp.Expr) and not (isinstance(bound, exp.Literal) and bound.is_int):
            raise InvalidSql.at(place_of(node), "a frame is bounded by whole numbers")
    if node.args.get("kind") == "GROUPS":
        raise SqlNotAllowed.at(place_of(node), "a frame is of ROWS or RANGE")


def _check_distinct(node: exp.Expr) -> None:
    if isinstance(node.parent, exp.Func) and len(node.expressions) != 1:
        raise SqlNotAllowed.at(place_of(node), "DISTINCT takes one value here")


def _check_placeholder(node: exp.Expr) -> None:
    if not isinstance(node.this, str) or not _NAME.fullmatch(node.this):
        raise InvalidSql.at(place_of(node), "a parameter is named: $name")


def _check_constants(node: exp.Expr) -> None:
    for part in FUNCTIONS[type(node)].constant:
        value = node.args.get(part)
        if value is not None and not isinstance(value, exp.Literal | exp.Placeholder):
            about = f"{FUNCTIONS[type(node)].name} takes a constant here"
            raise SqlNotAllowed.at(place_of(value), about)


def _unit(node: exp.Expr) -> str:
    return node.name.upper().removesuffix("S")


def _said(node: exp.Expr) -> str:
    words = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", type(node).__name__)
    return "SELECT" if isinstance(node, exp.Select) else words.upper()


_WHY: dict[type[exp.Expr], str] = {
    exp.Lateral: "there is no LATERAL here",
    exp.Values: "there is no VALUES here",
    exp.Dot: "a name has one dot at most",
    exp.Parameter: "a parameter is written $name",
    exp.Lambda: "there are no lambdas here",
    exp.Command: "only SELECT is allowed here",
}
_CHECKS: Mapping[type[exp.Expr], Callable[[exp.Expr], None]] = {
    exp.CTE: _check_cte,
    exp.Identifier: _check_identifier,
    exp.Literal: _check_literal,
    exp.DataType: _check_type,
    exp.Interval: _check_interval,
    exp.Tuple: _check_tuple,
    exp.TimestampTrunc: _check_unit,
    exp.DateDiff: _check_unit,
    exp.Extract: _check_extract,
    exp.Join: _check_join,
    exp.Limit: _check_bound,
    exp.Offset: _check_bound,
    exp.Like: _check_pattern,
    exp.ILike: _check_pattern,
    exp.JSONExtract: _check_path,
    exp.JSONExtractScalar: _check_path,
    exp.JSONPathKey: _check_key,
    exp.WindowSpec: _check_frame,
    exp.Distinct: _check_distinct,
    exp.Placeholder: _check_placeholder,
    **{kind: _check_constants for kind, known in FUNCTIONS.items() if known.constant},
}
