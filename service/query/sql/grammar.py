"""What may stand in a query: whatever is not named here is refused.

The parser (sqlglot, in DuckDB's dialect) knows far more than this. Each kind of node is allowed
with the parts that are named beside it and with no other one. Functions have a table of their own.
"""

from collections.abc import Mapping

from sqlglot import exp

from service.query.sql.functions import FUNCTIONS

LONGEST_QUERY = 16 * 1024
"""Characters."""
MOST_TOKENS = 2_000
DEEPEST = 30
"""Brackets inside brackets."""

_BINARY = frozenset({"this", "expression"})
_UNARY = frozenset({"this"})
_MODIFIERS = frozenset({"with_", "order", "limit", "offset"})
_SETS = _MODIFIERS | {"this", "expression", "distinct"}

NODES: Mapping[type[exp.Expr], frozenset[str]] = {
    exp.Select: _MODIFIERS
    | {"expressions", "distinct", "from_", "joins", "where", "group", "having"},
    exp.Union: _SETS,
    exp.Intersect: _SETS,
    exp.Except: _SETS,
    exp.Subquery: frozenset({"this", "alias"}) | _MODIFIERS,
    exp.With: frozenset({"expressions"}),
    exp.CTE: frozenset({"this", "alias"}),
    exp.From: _UNARY,
    exp.Join: frozenset({"this", "on", "using", "side", "kind"}),
    exp.Table: frozenset({"this", "alias"}),
    exp.TableAlias: _UNARY,
    exp.Where: _UNARY,
    exp.Group: frozenset({"expressions", "all"}),
    exp.Having: _UNARY,
    exp.Order: frozenset({"expressions"}),
    exp.Ordered: frozenset({"this", "desc", "nulls_first"}),
    exp.Limit: frozenset({"expression"}),
    exp.Offset: frozenset({"expression"}),
    exp.Distinct: frozenset({"expressions"}),
    exp.Alias: frozenset({"this", "alias"}),
    exp.Column: frozenset({"this", "table"}),
    exp.Identifier: frozenset({"this", "quoted"}),
    exp.Star: frozenset(),
    exp.Literal: frozenset({"this", "is_string"}),
    exp.Boolean: _UNARY,
    exp.Null: frozenset(),
    exp.Placeholder: _UNARY,
    exp.Paren: _UNARY,
    exp.Tuple: frozenset({"expressions"}),
    exp.And: _BINARY,
    exp.Or: _BINARY,
    exp.Not: _UNARY,
    exp.EQ: _BINARY,
    exp.NEQ: _BINARY,
    exp.GT: _BINARY,
    exp.GTE: _BINARY,
    exp.LT: _BINARY,
    exp.LTE: _BINARY,
    exp.Is: _BINARY,
    exp.In: frozenset({"this", "expressions", "query"}),
    exp.Between: frozenset({"this", "low", "high"}),
    exp.Like: _BINARY,
    exp.ILike: _BINARY,
    exp.Exists: _UNARY,
    exp.Add: _BINARY,
    exp.Sub: _BINARY,
    exp.Mul: _BINARY,
    exp.Div: _BINARY | {"typed", "safe"},
    exp.Mod: _BINARY,
    exp.Neg: _UNARY,
    exp.DPipe: _BINARY | {"safe"},
    exp.Case: frozenset({"this", "ifs", "default"}),
    exp.If: frozenset({"this", "true", "false"}),
    exp.Cast: frozenset({"this", "to"}),
    exp.TryCast: frozenset({"this", "to", "safe", "requires_string"}),
    exp.DataType: frozenset({"this", "nested"}),
    exp.Interval: frozenset({"this", "unit"}),
    exp.Var: _UNARY,
    exp.JSONExtract: _BINARY,
    exp.JSONExtractScalar: _BINARY | {"scalar_only"},
    exp.JSONPath: frozenset({"expressions"}),
    exp.JSONPathRoot: frozenset(),
    exp.JSONPathKey: _UNARY,
    exp.Filter: _BINARY,
    exp.Window: frozenset({"this", "partition_by", "order", "spec", "over"}),
    exp.WindowSpec: frozenset({"kind", "start", "start_side", "end", "end_side"}),
    **{kind: frozenset(known.parts) | known.ignored for kind, known in FUNCTIONS.items()},
}

TYPES = {
    "BOOLEAN": exp.DType.BOOLEAN,
    "BIGINT": exp.DType.BIGINT,
    "DOUBLE": exp.DType.DOUBLE,
    "VARCHAR": exp.DType.TEXT,
    "TIMESTAMP": exp.DType.TIMESTAMP,
}
"""What a value can be cast to, by its name."""
OTHER_TYPES = {
    exp.DType.INT: exp.DType.BIGINT,
    exp.DType.FLOAT: exp.DType.DOUBLE,
    exp.DType.VARCHAR: exp.DType.TEXT,
    exp.DType.TIMESTAMPNTZ: exp.DType.TIMESTAMP,
}
UNITS = ("SECOND", "MINUTE", "HOUR", "DAY", "WEEK", "MONTH", "QUARTER", "YEAR")
TABLES: Mapping[str, Mapping[str, str]] = {
    "events": {
        "event_id": "text",
        "event_type": "text",
        "user_id": "text",
        "session_id": "text",
        "source": "text",
        "timestamp": "timestamp",
        "received_at": "timestamp",
        "priority": "int",
        "payload": "json",
        "metadata": "json",
    },
    "customers": {
        "user_id": "text",
        "profile": "json",
        "as_of": "timestamp",
        "received_at": "timestamp",
    },
}
"""The columns of what can be asked, `queries/sql_<table>.sql`."""
TIMES = {
    name for columns in TABLES.values() for name, kind in columns.items() if kind == "timestamp"
}
