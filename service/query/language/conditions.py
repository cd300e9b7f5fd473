"""Filters and fields as pieces of a statement.

A field is read as a *token* (what it is grouped by and compared with), a *text* or a *number*. A
column that holds a text is all but a number as it stands. A value inside a JSON document has its
kind in its token: `s…` for a text, `n` for a number, `b0` and `b1`, and nothing where there is
none; null, an object and a list are none.
"""

from collections.abc import Sequence

from service.query.language import words
from service.query.language.fields import Column, Field, Number, Path, field_named
from service.query.language.words import Filter, Value
from service.storage.protocol import Statement

EVERYTHING = Statement("frames.everything")
NOTHING_TOKEN, TRUE_TOKEN, FALSE_TOKEN, NUMBER_TOKEN, TEXT_PREFIX = "", "b1", "b0", "n", "s"


def condition(filters: Sequence[Filter]) -> list[Statement]:
    """All that the filters ask of a row."""
    return [_condition(one) for one in filters] or [EVERYTHING]


def token(field: Field) -> Statement:
    """What a field is grouped by and compared with; a number's own value is its `rank`."""
    if isinstance(field, Column):
        return Statement(f"fields.{field.piece}")
    if isinstance(field, Number):
        return Statement("fields.number_token")
    return _of_json("fields.token", field)


def number(field: Field) -> Statement:
    """The number that a field holds, or NULL."""
    if isinstance(field, Path):
        if field.document == "payload" and len(field.keys) == 1:
            return Statement("fields.payload_number", {"key": field.keys[0]})
        return _of_json("fields.number", field)
    return Statement(f"fields.{field.piece}")


def rank(field: Field) -> Statement:
    """The number of a group, 0 for groups of other kinds."""
    return Statement("fields.rank", parts={"number": [number(field)]})


def has_rank(field: Field) -> bool:
    """Whether a field's token leaves open which number it is."""
    return not isinstance(field, Column)


def _text(field: Field) -> Statement:
    return _of_json("fields.text", field) if isinstance(field, Path) else token(field)


def _of_json(piece: str, path: Path) -> Statement:
    json = [_json(path)]
    inner = {
        "unquoted": [Statement("fields.unquoted", parts={"json": json})],
        "parsed": [Statement("fields.parsed", parts={"json": json})],
    }
    return Statement(piece, parts={"json": json, **inner})


def _json(path: Path) -> Statement:
    """The JSON text at the end of a path."""
    reached = Statement(f"fields.{path.document}")
    for key in path.keys:
        values = {"key": key, "path": _json_path(key)}
        member = {"document": [reached]}
        inner = {"reached": [Statement("fields.reached", values, member)]}
        reached = Statement("fields.member", values, {**member, **inner})
    return reached


def _json_path(key: str) -> str:
    """A key of an object for DuckDB, whose `$."…"` takes all keys but `*` and the empty one, and
    whose `/…` takes those, but numbers for places in a list."""
    if key in {"", "*"}:
        return f"/{key}"
    escaped = key.replace("\\", "\\\\").replace('"', '\\"')
    return f'$."{escaped}"'


def _condition(found: Filter) -> Statement:
    match found:
        case words.And(filters):
            return Statement("filters.all", parts={"filters": [_condition(f) for f in filters]})
        case words.Or(filters):
            return Statement("filters.any", parts={"filters": [_condition(f) for f in filters]})
        case words.Not(inner):
            return _not(_condition(inner))
        case words.IsNot(field, value):
            return _not(_among(field_named(field, ""), [value]))
        case words.NotIn(field, values):
            return _not(_among(field_named(field, ""), values))
        case words.Is(field, value):
            return _among(field_named(field, ""), [value])
        case words.In(field, values):
            return _among(field_named(field, ""), values)
        case words.Exists(field):
            return Statement("filters.exists", parts={"token": [token(field_named(field, ""))]})
        case words.Contains(field, value) | words.StartsWith(field, value):
            return _said(found, "text", _text(field_named(field, "")), value)
        case words.Gt(field, value) | words.Gte(field, value) | words.Lt(field, value):
            return _said(found, "number", number(field_named(field, "")), value)
        case words.Lte(field, value):
            return _said(found, "number", number(field_named(field, "")), value)


def _not(inner: Statement) -> Statement:
    return Statement("filters.not", parts={"filter": [inner]})


def _said(found: Filter, hole: str, of: Statement, value: str | float) -> Statement:
    """The piece that is called as the filter is."""
    name = type(found).__struct_config__.tag
    return Statement(f"filters.{name}", {"value": value}, {hole: [of]})


def _among(field: Field, values: Sequence[Value]) -> Statement:
    """One of these values: the numbers are compared as numbers, all others by their tokens."""
    numbers = [value for value in values if type(value) is float]
    tokens = [_token_of(value, field) for value in values if type(value) is not float]
    found = []
    if tokens:
        found.append(_one_of("same", "among", tokens, {"token": [token(field)]}))
    if numbers:
        found.append(_one_of("same_number", "among_numbers", numbers, {"number": [number(field)]}))
    return Statement("filters.any", parts={"filters": found})


def _one_of(
    one: str,
    several: str,
    values: Sequence[str] | Sequence[float],
    parts: dict[str, Sequence[Statement]],
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
