"""The statements kept in `queries/`: one file each, named for what it answers or does.

A file is written in ClickHouse's dialect with `{name:Type}` parameters. DuckDB reads the same
file, its parameters turned into casts of `$name`, or a sibling `name.duckdb.sql` where one text
cannot serve both.
"""

import re
from functools import cache

from service.resources import directory

_PARAMETER = re.compile(r"\{(\w+):([\w()]+)\}")
_DUCKDB_TYPES = {
    "String": "VARCHAR",
    "Int64": "BIGINT",
    "UInt32": "UINTEGER",
    "UInt64": "UBIGINT",
    "Array(Int64)": "BIGINT[]",
    "Array(String)": "VARCHAR[]",
    "Array(UInt64)": "UBIGINT[]",
}


@cache
def statement(name: str, dialect: str) -> str:
    """The text of `queries/<name>` for a dialect, its parameters as that engine writes them.

    Raises FileNotFoundError for a name that has no file.
    """
    folder = directory("queries")
    sibling = folder / f"{name}.{dialect}.sql"
    text = (sibling if sibling.is_file() else folder / f"{name}.sql").read_text("utf-8")
    return _PARAMETER.sub(_as_duckdb, text) if dialect == "duckdb" else text


def _as_duckdb(parameter: re.Match[str]) -> str:
    name, kind = parameter.groups()
    return f"CAST(${name} AS {_DUCKDB_TYPES[kind]})"
