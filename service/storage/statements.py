"""The statements kept in `queries/`: one file each, named for what it answers or does.

A file is written in ClickHouse's dialect with `{name:Type}` parameters. DuckDB reads the same
file, its parameters turned into casts of `$name`, or a sibling `name.duckdb.sql` where one text
cannot serve both, or serves one of them badly. What only one engine is ever asked has no other form
than `name.duckdb.sql` or `name.clickhouse.sql`.

A question that callers compose is composed here too, from pieces: `queries/pieces/metrics.sql` has
the piece `metrics.users`, and a sibling has DuckDB's own form of some. A piece has holes, like
`<filters AND>`, that a statement's `parts` fill, joined by a comma or by the word. The values of
each part have names of their own in the whole; a part that does not bring a value takes that of
what it is a part of. Nothing but the text of these files and names like `metric1` becomes SQL.
"""

import re
from collections.abc import Mapping
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
    "Float64": "DOUBLE",
    "Array(Float64)": "DOUBLE[]",
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
    if asked.parts:
        composition = _Composition(dialect)
        return in_dialect(composition.text(asked, {}), dialect), composition.values
    text, parameters = statement(asked.name, dialect)
    return text, {name: asked.values[name] for name in parameters}


class _Composition:
    """One statement made of pieces, and the values that are named in it."""

    def __init__(self, dialect: str) -> None:
        self.values: dict[str, Any] = {}
        self._dialect = dialect
        self._parts = 0

    def text(self, part: Statement, around: Mapping[str, tuple[str, Any]]) -> str:
        """The text of a part; `around` has the values of what it is a part of."""
        self._parts += 1
        own = {name: (f"{name}_{self._parts}", value) for name, value in part.values.items()}
        scope = {**around, **own}
        filled: dict[str, str] = {}

        def fill(slot: re.Match[str]) -> str:
            if slot["hole"] is None:
                return self._value(slot["name"], slot["kind"], scope)
            if slot["hole"] not in filled:
                joint = f" {slot['joint']} " if slot["joint"] else ", "
                pieces = [self.text(piece, scope) for piece in part.parts[slot["hole"]]]
                filled[slot["hole"]] = joint.join(pieces)
            return filled[slot["hole"]]

        return _SLOT.sub(fill, _piece(part.name, self._dialect))

    def _value(self, name: str, kind: str, scope: Mapping[str, tuple[str, Any]]) -> str:
        unique, value = scope[name]
        if kind == "Identifier":
            if not _IDENTIFIER.fullmatch(value):
                raise ValueError(f"{value!r} is no name of a column")
            return str(value)
        self.values[unique] = value
        return f"{{{unique}:{kind}}}"


_SLOT = re.compile(r"<(?P<hole>\w+)(?: (?P<joint>[A-Z]+))?>|\{(?P<name>\w+):(?P<kind>[\w()]+)\}")
_IDENTIFIER = re.compile(r"[a-z]+[0-9]*")
_PIECE = re.compile(r"^-- (\w+): .+\n((?:(?!-- ).*\n)+)", re.M)


def _piece(name: str, dialect: str) -> str:
    family, _, piece = name.partition(".")
    return pieces(family, dialect)[piece]


@cache
def pieces(family: str, dialect: str) -> Mapping[str, str]:
    """The pieces of `queries/pieces/<family>` by name, those of a sibling in their places."""
    folder = directory("queries") / "pieces"
    files = (folder / f"{family}.sql", folder / f"{family}.{dialect}.sql")
    texts = [file.read_text("utf-8") for file in files if file.is_file()]
    return {name: text.strip() for text in texts for name, text in _PIECE.findall(text)}


def _file(name: str, dialect: str) -> Traversable:
    folder = directory("queries")
    sibling = folder / f"{name}.{dialect}.sql"
    return sibling if sibling.is_file() else folder / f"{name}.sql"


def _as_duckdb(parameter: re.Match[str]) -> str:
    name, kind = parameter.groups()
    return f"CAST(${name} AS {_DUCKDB_TYPES[kind]})"
