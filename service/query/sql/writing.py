"""From a query that was checked to the text and the values that an engine is given.

No text of the user's reaches the engine but his names, which are letters and digits: texts become
values, functions are called anew by their table, and each table becomes a subquery bound to the
tenant. It is all done on the tree; the text is written once, at the end.
"""

from collections.abc import Callable, Mapping
from functools import cache
from typing import Any

import sqlglot
from sqlglot import exp

from service.errors import InvalidSql
from service.query.sql.bounds import bounds_of, moment_of
from service.query.sql.checking import place_of
from service.query.sql.functions import FUNCTIONS, call
from service.query.sql.grammar import OTHER_TYPES, TABLES, TIMES
from service.query.sql.reading import Sql
from service.storage.sandbox import Query
from service.storage.statements import statement

_CTE = "cte_"
"""What the names of a user's own tables begin with in the engine, where no table's name does."""


def written(sql: Sql, tenant: str, dialect: str) -> Query:
    """The query as an engine is given it: it answers one row more than was asked for, if it can.

    Raises InvalidSql for times that are none.
    """
    tree = sql.tree.copy()
    writer = _Writer(sql, tree, tenant, dialect)
    _limit(tree, sql.limit + 1)
    for node in reversed(list(tree.bfs())):
        if (made := writer.made(node)) is not node:
            node.replace(made)
    text = tree.sql(dialect=dialect, normalize_functions=False, comments=False)
    return Query(text, writer.values)


class _Writer:
    """Makes the nodes of one query anew, those inside before those around them."""

    def __init__(self, sql: Sql, tree: exp.Expr, tenant: str, dialect: str) -> None:
        self._sql = sql
        events = (table for table in tree.find_all(exp.Table) if table.name == "events")
        self._bounds = {id(table): bounds_of(table, sql.parameters, sql.now) for table in events}
        self._dialect = dialect
        self._tenant = tenant
        self.values: dict[str, Any] = {}

    def made(self, node: exp.Expr) -> exp.Expr:
        """What stands for a node: itself, changed or not, or another one."""
        if make := _MAKERS.get(type(node)):
            return make(self, node)
        if isinstance(node, exp.CurrentTimestamp):
            return self.moment(self._sql.now)
        if known := FUNCTIONS.get(type(node)):
            return known.forms[self._dialect](*_arguments(node, known.parts))
        return node

    def table(self, node: exp.Expr) -> exp.Expr:
        if node.name not in TABLES:
            node.set("this", exp.to_identifier(_CTE + node.name, quoted=True))
            return node
        self.values |= {"tenant": self._tenant}
        view = _view(node.name, self._dialect).copy()
        if node.name == "events":
            self._bind(view, *self._bounds[id(node)])
        return exp.Subquery(this=view, alias=node.args["alias"])

    def _bind(self, view: exp.Expr, start: int, end: int) -> None:
        """Give the parameters of one view their values, under names of its own."""
        for bound, value in (("sql_from", start), ("sql_to", end)):
            name = f"{bound}_{len(self.values)}"
            self.values[name] = value
            for node in view.find_all(exp.Placeholder):
                if node.name == bound:
                    node.set("this", exp.Var(this=name) if node.args.get("kind") else name)

    def cte(self, node: exp.Expr) -> exp.Expr:
        alias = exp.to_identifier(_CTE + node.alias, quoted=True)
        node.set("alias", exp.TableAlias(this=alias))
        return node

    def literal(self, node: exp.Expr) -> exp.Expr:
        if _is_syntax(node):
            return node
        if node.is_string:
            return self._text_of(node, node.name)
        return node if node.is_int else exp.Literal.number(repr(float(node.name)))

    def placeholder(self, node: exp.Expr) -> exp.Expr:
        value = self._sql.parameters[node.name]
        return self._text_of(node, value) if isinstance(value, str) else self._value(value)

    def cast(self, node: exp.Expr) -> exp.Expr:
        """A cast that gives NULL for what cannot be cast."""
        kind = OTHER_TYPES.get(node.args["to"].this, node.args["to"].this)
        if kind is exp.DType.TIMESTAMP and self._is_value(node.this):
            time: exp.Expr = node.this  # the text has become one already
            return time
        form = _CASTS[self._dialect]
        return form(node.this, kind)

    def path(self, node: exp.Expr) -> exp.Expr:
        keys = [step.this for step in node.expression.find_all(exp.JSONPathKey, bfs=False)]
        if self._dialect == "clickhouse":
            found = [self._value(key) for key in keys]
            if isinstance(node, exp.JSONExtract):
                return call("nullIf")(call("JSONExtractRaw")(node.this, *found), self._value(""))
            return call("JSONExtract")(node.this, *found, exp.Literal.string("Nullable(String)"))
        pointer = "".join("/" + key.replace("~", "~0").replace("/", "~1") for key in keys)
        name = "json_extract" if isinstance(node, exp.JSONExtract) else "json_extract_string"
        document = exp.TryCast(this=node.this, to=exp.DataType.build("JSON", dialect="duckdb"))
        return call(name)(document, self._value(pointer))

    def divided(self, node: exp.Expr) -> exp.Expr:
        """A division, NULL by nothing on both engines."""
        whole = exp.Literal.number(0)
        node.set("expression", call("nullif")(node.expression, whole))
        for part in ("typed", "safe"):
            node.set(part, None)
        return exp.Paren(this=node)

    def moment(self, at: int) -> exp.Expr:
        """A time, from ms since 1970 UTC."""
        value = self._value(at)
        if self._dialect == "clickhouse":
            return call("fromUnixTimestamp64Milli")(value, exp.Literal.string("UTC"))
        return call("make_timestamp_ms")(value)

    def _text_of(self, node: exp.Expr, text: str) -> exp.Expr:
        if _stands_for_a_time(node):
            return self.moment(_moment(node, text))
        if self._dialect == "clickhouse" and isinstance(node.parent, exp.Like | exp.ILike):
            text = text.replace("\\", "\\\\")
        return self._value(text)

    def _value(self, value: Any) -> exp.Expr:
        """A value under a name of its own, the same for equal values."""
        if value is None:
            return exp.Null()
        if isinstance(value, bool):
            return exp.Boolean(this=value)
        same = (
            n
            for n, v in self.values.items()
            if n[0] == "v" and (v, type(v)) == (value, type(value))
        )
        name = next(same, None) or f"v{len(self.values)}"
        self.values[name] = value
        if self._dialect == "clickhouse":
            return exp.Placeholder(
                this=exp.Var(this=name), kind=_CLICKHOUSE_KINDS[type(value)].copy()
            )
        return exp.Placeholder(this=name)

    def _is_value(self, node: exp.Expr) -> bool:
        return isinstance(node, exp.Anonymous) and node.name in _MOMENTS


def _limit(tree: exp.Query, most: int) -> None:
    while isinstance(tree, exp.Subquery) and not tree.args.get("limit"):
        tree = tree.this
    limit = tree.args.get("limit")
    wanted = int(limit.expression.name) if limit else most
    tree.set("limit", exp.Limit(expression=exp.Literal.number(min(wanted, most))))


def _arguments(node: exp.Expr, parts: tuple[str, ...]) -> list[exp.Expr]:
    given = (node.args.get(part) for part in parts)
    return [one for some in given if some for one in (some if isinstance(some, list) else [some])]


@cache
def _view(name: str, dialect: str) -> exp.Expr:
    text, _ = statement(f"sql_{name}", dialect)
    return sqlglot.parse_one(text, read=dialect)


def _is_syntax(node: exp.Expr) -> bool:
    """Whether a literal is a number or word of the grammar rather than a value."""
    return isinstance(node.parent, exp.Interval | exp.Limit | exp.Offset | exp.WindowSpec)


def _stands_for_a_time(node: exp.Expr) -> bool:
    """Whether a text is cast to a time, or compared with one."""
    around = node.parent
    if isinstance(around, exp.Cast | exp.TryCast):
        kind = around.args["to"].this
        return OTHER_TYPES.get(kind, kind) is exp.DType.TIMESTAMP
    if not isinstance(
        around, exp.EQ | exp.NEQ | exp.GT | exp.GTE | exp.LT | exp.LTE | exp.Between | exp.In
    ):
        return False
    return any(_is_time(one) for one in around.iter_expressions())


def _is_time(node: exp.Expr) -> bool:
    if isinstance(node, exp.Column):
        return node.name in TIMES
    return isinstance(node, exp.TimestampTrunc | exp.CurrentTimestamp) or (
        isinstance(node, exp.Anonymous) and node.name in _MOMENTS
    )


def _moment(node: exp.Expr, text: str) -> int:
    try:
        return moment_of(text)
    except ValueError:
        about = f"{text[:40]!r} is no time such as 2026-01-31 or 2026-01-31T12:00:00Z"
        raise InvalidSql.at(place_of(node), about) from None


def _duckdb_cast(value: exp.Expr, kind: exp.DType) -> exp.Expr:
    return exp.TryCast(this=value, to=exp.DataType(this=kind))


def _clickhouse_cast(value: exp.Expr, kind: exp.DType) -> exp.Expr:
    if kind is exp.DType.TEXT:
        return call("toString")(value)
    if kind is exp.DType.TIMESTAMP:
        utc = exp.Literal.string("UTC")
        text = call("toString")(value)
        return call("parseDateTime64BestEffortOrNull")(text, exp.Literal.number(3), utc)
    return call("accurateCastOrNull")(value, exp.Literal.string(_CLICKHOUSE_TYPES[kind]))


_CLICKHOUSE_KINDS = {
    kind: exp.DataType(this=name, nested=False, nullable=False)
    for kind, name in {
        str: exp.DType.TEXT,
        int: exp.DType.BIGINT,
        float: exp.DType.DOUBLE,
    }.items()
}
_CLICKHOUSE_TYPES = {
    exp.DType.BOOLEAN: "Bool",
    exp.DType.BIGINT: "Int64",
    exp.DType.DOUBLE: "Float64",
}
_CASTS = {"duckdb": _duckdb_cast, "clickhouse": _clickhouse_cast}
_MOMENTS = {
    "make_timestamp_ms",
    "fromUnixTimestamp64Milli",
    "toDateTime64",
    "date_trunc",
}
_MAKERS: Mapping[type[exp.Expr], Callable[[_Writer, Any], exp.Expr]] = {
    exp.Table: _Writer.table,
    exp.CTE: _Writer.cte,
    exp.Literal: _Writer.literal,
    exp.Placeholder: _Writer.placeholder,
    exp.Cast: _Writer.cast,
    exp.TryCast: _Writer.cast,
    exp.JSONExtract: _Writer.path,
    exp.JSONExtractScalar: _Writer.path,
    exp.Div: _Writer.divided,
    exp.Mod: _Writer.divided,
}
