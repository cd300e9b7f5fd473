"""Filters and fields as pieces of a statement.

A field is read as a *token* (what it is grouped by and compared with), a *text* or a *number*. A
column that holds a text is all but a number as it stands. A value inside a JSON document has its
kind in its token: `s…` for a text, `n` for a number, `b0` and `b1`, and nothing where there is
none; null, an object and a list are none.
"""

from collections.abc import Iterator, Mapping, Sequence

from service.query.language import words
from service.query.language.fields import Column, Field, Number, Path, field_named
from service.query.language.words import Filter, Value
from service.storage.protocol import Statement

EVERYTHING = Statement("frames.everything")
NOTHING_TOKEN, TRUE_TOKEN, FALSE_TOKEN, NUMBER_TOKEN, TEXT_PREFIX = "", "b1", "b0", "n", "s"


class Terms:
    """Fields and filters as pieces, for rows that have the values at the `paths` beside them."""

    def __init__(self, paths: Sequence[Path]) -> None:
        self._names = {path: f"json{n}" for n, path in enumerate(paths)}

    def jsons(self) -> list[Statement]:
        """The values at the paths, each a column of JSON text."""
        return [
            Statement("facts.column", {"name": name}, {"value": [_json(path)]})
            for path, name in self._names.items()
        ]

    def token(self, field: Field) -> Statement:
        """What a field is grouped by and compared with; a number's own value is its `rank`."""
        if isinstance(field, Column):
            return Statement(f"fields.{field.piece}")
        if isinstance(field, Number):
            return Statement("fields.number_token")
        return self._of_json("fields.token", field)

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
        return self.token(field)

    def _of_json(self, piece: str, path: Path) -> Statement:
        json = [Statement("frames.name", {"name": self._names[path]})]
        inner = {
            "unquoted": [Statement("fields.unquoted", parts={"json": json})],
            "parsed": [Statement("fields.parsed", parts={"json": json})],
        }
        return Statement(piece, parts={"json": json, **inner})

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
                return Statement("filters.exists", parts={"token": [self.token(field)]})
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
        """One of these values: numbers are compared as numbers, all others by their tokens."""
        numbers = [value for value in values if type(value) is float]
        tokens = [_token_of(value, field) for value in values if type(value) is not float]
        found = []
        if tokens:
            found.append(_one_of("same", "among", tokens, {"token": [self.token(field)]}))
        if numbers:
            number = {"number": [self.number(field)]}
            found.append(_one_of("same_number", "among_numbers", numbers, number))
        return Statement("filters.any", parts={"filters": found})


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


def _token_of(value: Value, field: Field) -> str:
    if value is None:
        return NOTHING_TOKEN
    if isinstance(value, bool):
        return TRUE_TOKEN if value else FALSE_TOKEN
    assert isinstance(value, str)
    return value if isinstance(field, Column) else f"{TEXT_PREFIX}{value}"


def value_of(field: Field, found: str, ranked: float | None) -> Value | int:
    """The value that a token stands for, as answers show it."""
    if found == NOTHING_TOKEN:
        return None
    if isinstance(field, Column):
        return found
    if found == NUMBER_TOKEN and ranked is not None:
        whole = ranked.is_integer() and abs(ranked) < 2**53
        return int(ranked) if whole else ranked
    if found in {TRUE_TOKEN, FALSE_TOKEN}:
        return found == TRUE_TOKEN
    return found.removeprefix(TEXT_PREFIX)
