"""The grammar of a query: the document's fields, and what a filter may be."""

from typing import Annotated

import msgspec
from msgspec import Meta

MOST_METRICS = 10
MOST_DIMENSIONS = 5
MOST_FILTERS = 50
"""Filters of one document, those inside others counted too."""
DEEPEST_FILTERS = 8
MOST_VALUES = 500
USUAL_LIMIT, MOST_LIMIT = 100, 1000
LONGEST_VALUE = 1000

Text = Annotated[str, Meta(max_length=LONGEST_VALUE)]
Part = Annotated[str, Meta(min_length=1, max_length=LONGEST_VALUE)]
Value = Text | float | bool | None
"""A text, a number, a truth value; null stands for nothing there."""


class _Word(msgspec.Struct, tag_field="op", forbid_unknown_fields=True):
    """One filter; `op` says which."""


class Is(_Word, tag="is"):
    """Exactly this value, of this kind: the text `5` is not the number 5."""

    field: str
    value: Value


class IsNot(_Word, tag="is_not"):
    """Everything else, nothing included."""

    field: str
    value: Value


class In(_Word, tag="in"):
    """One of these values."""

    field: str
    values: Annotated[tuple[Value, ...], Meta(min_length=1, max_length=MOST_VALUES)]


class NotIn(_Word, tag="not_in"):
    """None of these values."""

    field: str
    values: Annotated[tuple[Value, ...], Meta(min_length=1, max_length=MOST_VALUES)]


class Contains(_Word, tag="contains"):
    """This text somewhere in it, literally, case and all."""

    field: str
    value: Part


class StartsWith(_Word, tag="starts_with"):
    """This text at its beginning, literally, case and all."""

    field: str
    value: Part


class Gt(_Word, tag="gt"):
    """A greater number."""

    field: str
    value: float


class Gte(_Word, tag="gte"):
    """This number or a greater one."""

    field: str
    value: float


class Lt(_Word, tag="lt"):
    """A smaller number."""

    field: str
    value: float


class Lte(_Word, tag="lte"):
    """This number or a smaller one."""

    field: str
    value: float


class Exists(_Word, tag="exists"):
    """There is a text, a number or a truth value."""

    field: str


class And(_Word, tag="and"):
    """All of these hold."""

    filters: Annotated[tuple["Filter", ...], Meta(min_length=1)]


class Or(_Word, tag="or"):
    """One of these holds."""

    filters: Annotated[tuple["Filter", ...], Meta(min_length=1)]


class Not(_Word, tag="not"):
    """This does not hold."""

    filter: "Filter"


Comparison = Gt | Gte | Lt | Lte
Leaf = Is | IsNot | In | NotIn | Contains | StartsWith | Comparison | Exists
Filter = Leaf | And | Or | Not


class Span(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """From `start` up to before `end`, both ISO 8601; without an offset they are UTC."""

    start: str
    end: str


class Query(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """What is asked for."""

    metrics: Annotated[tuple[str, ...], Meta(min_length=1, max_length=MOST_METRICS)]
    dimensions: Annotated[tuple[str, ...], Meta(max_length=MOST_DIMENSIONS)] = ()
    filters: tuple[Filter, ...] = ()
    range: str | Span = "24h"
    interval: str | None = None
    tz: str = "UTC"
    compare: str | Span | None = None
    order: tuple[str, ...] = ()
    limit: Annotated[int, Meta(ge=1, le=MOST_LIMIT)] = USUAL_LIMIT
    cursor: str | None = None
    totals: bool = False
    other: bool = False


def operators() -> list[str]:
    """The names of all filters."""
    return [kind.__struct_config__.tag for kind in Filter.__args__]
