"""The statements kept in `queries/`: one file each, named for what it answers or does.

A file is written in ClickHouse's dialect with `{name:Type}` parameters. DuckDB reads the same
file, its parameters turned into casts of `$name`, or a sibling `name.duckdb.sql` where one text
cannot serve both, or serves one of them badly. What only one engine is ever asked has no other form
than `name.duckdb.sql` or `name.clickhouse.sql`.
"""

import re
from functools import cache
from importlib.resources.abc import Traversable
from typing import Any

from service.resources import directory
from service.storage.protocol import Statement

_PARAMETER = re.compile(r"\{(\w+):([\w()]+)\}")
_DUCKDB_TYPES = {
    "String": "VARCHAR",
    "Int64": "BIGINT",
    "UInt8": "UTINYINT",
    "UInt32": "UINTEGER",
    "UInt64": "UBIGINT",
    "Array(Int64)": "BIGINT[]",
    "Array(String)": "VARCHAR[]",
    "Array(UInt64)": "UBIGINT[]",
}


@cache
def statement(name: str, dialect: str) -> tuple[str, frozenset[str]]:
    """The text of `queries/<name>` for a dialect, and the names of its parameters.

    Raises FileNotFoundError for a name that has no file.
    """
    text = _file(name, dialect).read_text("utf-8")
    parameters = frozenset(match[1] for match in _PARAMETER.finditer(text))
    return in_dialect(text, dialect), parameters


def in_dialect(text: str, dialect: str) -> str:
    """A text with `{name:Type}` parameters as an engine takes it."""
    return _PARAMETER.sub(_as_duckdb, text) if dialect == "duckdb" else text


def has_statement(name: str, dialect: str) -> bool:
    """Whether a dialect has a text under this name: not all engines are asked everything."""
    return _file(name, dialect).is_file()


def bound(asked: Statement, dialect: str) -> tuple[str, dict[str, Any]]:
    """The text of a statement and the values that it names, out of those that came with it.

    Raises KeyError when one of them is missing.
    """
    text, parameters = statement(asked.name, dialect)
    return text, {name: asked.values[name] for name in parameters}


def _file(name: str, dialect: str) -> Traversable:
    folder = directory("queries")
    sibling = folder / f"{name}.{dialect}.sql"
    return sibling if sibling.is_file() else folder / f"{name}.sql"


def _as_duckdb(parameter: re.Match[str]) -> str:
    name, kind = parameter.groups()
    return f"CAST(${name} AS {_DUCKDB_TYPES[kind]})"
