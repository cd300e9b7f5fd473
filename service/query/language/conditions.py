"""Filters and fields as pieces of a statement.

A field is read as a *key* (what it is grouped by and compared with), a *text* or a *number*. A
column that holds a text is all but a number as it stands. The key of a value inside a JSON document
is its JSON text, but `n` for all numbers, and nothing where there is none; null, an object and a
list are none. How an engine writes a JSON text is its own affair.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from types import MappingProxyType

import msgspec

from service.query.language import words
from service.query.language.fields import CUSTOMER, Column, Field, Number, Path, field_named
from service.query.language.words import Filter, Value
from service.storage.protocol import Statement

EVERYTHING = Statement("frames.everything")
_NOTHING, _NUMBER = "", "n"
_DIGITS = re.compile(r"-?[0-9]{19,}")


class Terms:
    """Fields and filters as pieces, for rows that have the values at the `paths` beside them."""

    def __init__(self, paths: Sequence[Path]) -> None:
        self._names = {path: f"json{n}" for n, path in enumerate(paths)}

    def jsons(self) -> list[Statement]:
        """The values at the paths, each a column of JSON text."""
        return [column(name, _json(path)) for path, name in self._names.items()]

    @property
    def facts(self) -> str:
        """The piece whose rows have all that these terms are about."""
        documents = {path.document for path in self._names}
        if CUSTOMER in documents:
            return "facts.rows_and_customers"
        return "facts.opened_rows" if documents else "facts.rows"

    def key(self, field: Field) -> Statement:
        """What a field is grouped by and compared with; a number's own value is its `rank`."""
        if isinstance(field, Column):
            return Statement(f"fields.{field.piece}")
        if isinstance(field, Number):
            return Statement("fields.number_key")
        return self._of_json("fields.key", field)

    def number(self, field: Field) -> Statement:
        """The number that a field holds, or NULL."""
        if not isinstance(field, Path):
            return Statement(f"fields.{field.piece}")
        if in_numbers(field):
            return Statement("fields.payload_number", {"key": field.keys[0]})
        return self._of_json("fields.number", field)

    def rank(self, field: Field) -> Statement:
        """The number of a group, 0 for groups of other kinds."""
        return Statement("fields.rank", parts={"number": [self.number(field)]})

    def conditions(self, filters: Sequence[Filter]) -> list[Statement]:
        """All that the filters ask of a row."""
        return [self._condition(one) for one in filters] or [EVERYTHING]

    def _text(self, field: Field) -> Statement:
        if isinstance(field, Path):
            return self._of_json("fields.text", field)
        return self.key(field)

    def _of_json(
        self, piece: str, path: Path, values: Mapping[str, object] = MappingProxyType({})
    ) -> Statement:
        json = {"json": [named(self._names[path])]}
        inner = {hole: [Statement(f"fields.{hole}", parts=json)] for hole in _INNER}
        return Statement(piece, values, {**json, **inner})

    def _condition(self, found: Filter) -> Statement:
        match found:
            case words.And(filters):
                return Statement("filters.all", parts={"filters": self.conditions(filters)})
            case words.Or(filters):
                return Statement("filters.any", parts={"filters": self.conditions(filters)})
            case words.Not(inner):
                return _not(self._condition(inner))
        field = field_named(found.field, "")
        match found:
            case words.Exists():
                return Statement("filters.exists", parts={"key": [self.key(field)]})
            case words.Is(_, value):
                return self._among(field, [value])
            case words.IsNot(_, value):
                return _not(self._among(field, [value]))
            case words.In(_, values):
                return self._among(field, values)
            case words.NotIn(_, values):
                return _not(self._among(field, values))
            case words.Contains(_, value) | words.StartsWith(_, value):
                return _said(found, "text", self._text(field), value)
        return _said(found, "number", self.number(field), found.value)

    def _among(self, field: Field, values: Sequence[Value]) -> Statement:
        """One of these values, each compared with what is of its kind."""
        numbers = [value for value in values if type(value) is float]
        texts = [value for value in values if isinstance(value, str)]
        others = [_key_of(value) for value in values if value is None or isinstance(value, bool)]
        found = []
        if texts and isinstance(field, Path):
            long = [text for text in texts if _DIGITS.fullmatch(text) and not _fits(text)]
            found.append(self._of_json("filters.texts", field, {"values": texts, "long": long}))
            texts = []
        if keys := [*texts, *others]:
            found.append(_one_of("same", "among", keys, {"key": [self.key(field)]}))
        if numbers:
            number = {"number": [self.number(field)]}
            found.append(_one_of("same_number", "among_numbers", numbers, number))
        return Statement("filters.any", parts={"filters": found})


_INNER = ("is_text", "is_number", "unquoted", "parsed", "too_long")
"""Pieces about a JSON text that others may contain."""


def named(column: str) -> Statement:
    """A column by its name."""
    return Statement("frames.name", {"name": column})


def column(name: str, value: Statement) -> Statement:
    """A value under a name."""
    return Statement("facts.column", {"name": name}, {"value": [value]})


def in_order(field: Field, column: str) -> Statement:
    """What a key that stands in a column is put in order by."""
    if not isinstance(field, Path):
        return named(column)
    unquoted = Statement("fields.unquoted", parts={"json": [named(column)]})
    return Statement("fields.key_in_order", {}, {"key": [named(column)], "unquoted": [unquoted]})


def has_rank(field: Field) -> bool:
    """Whether a field's token leaves open which number it is."""
    return not isinstance(field, Column)


def in_numbers(field: Field) -> bool:
    """Whether the number that a field holds stands beside the payload, already read."""
    return isinstance(field, Path) and field.document == "payload" and len(field.keys) == 1


def fields_of(found: Filter) -> Iterator[Field]:
    """The fields that a filter is about."""
    if isinstance(found, words.And | words.Or):
        for inner in found.filters:
            yield from fields_of(inner)
    elif isinstance(found, words.Not):
        yield from fields_of(found.filter)
    else:
        yield field_named(found.field, "")


def _json(path: Path) -> Statement:
    """The JSON text at the end of a path."""
    reached = Statement(f"fields.{path.document}")
    for key in path.keys:
        values = {"key": key, "path": _json_path(key)}
        reached = Statement("fields.member", values, {"document": [reached]})
    return Statement("fields.value", parts={"reached": [reached]})


def _json_path(key: str) -> str:
    """A key of an object for DuckDB, whose `$."…"` takes all keys but `*` and the empty one, and
    whose `/…` takes those, but numbers for places in a list."""
    if key in {"", "*"}:
        return f"/{key}"
    escaped = key.replace("\\", "\\\\").replace('"', '\\"')
    return f'$."{escaped}"'


def _not(inner: Statement) -> Statement:
    return Statement("filters.not", parts={"filter": [inner]})


def _said(found: Filter, hole: str, of: Statement, value: str | float) -> Statement:
    """The piece that is called as the filter is."""
    name = type(found).__struct_config__.tag
    return Statement(f"filters.{name}", {"value": value}, {hole: [of]})


def _one_of(
    one: str,
    several: str,
    values: Sequence[str] | Sequence[float],
    parts: Mapping[str, Sequence[Statement]],
) -> Statement:
    if len(values) == 1:
        return Statement(f"filters.{one}", {"value": values[0]}, parts)
    return Statement(f"filters.{several}", {"values": list(values)}, parts)


def _key_of(value: bool | None) -> str:
    return _NOTHING if value is None else "true" if value else "false"


def _fits(digits: str) -> bool:
    """Whether a whole number fits into 64 bits, with a sign or without one."""
    return -(2**63) <= int(digits) < 2**64


def value_of(field: Field, found: str, ranked: float | None) -> Value | int:
    """The value that a key stands for, as answers show it."""
    if found == _NOTHING:
        return None
    if isinstance(field, Column):
        return found
    if found == _NUMBER and ranked is not None:
        whole = ranked.is_integer() and abs(ranked) < 2**53
        return int(ranked) if whole else ranked
    value: str | bool = msgspec.json.decode(found)
    return value
