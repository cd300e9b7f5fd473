"""What filters say, checked: the fields that there are, and values of their kind."""

from collections.abc import Iterable

from service.errors import InvalidInput
from service.query.language import words
from service.query.language.fields import Column, Field, Number, field_named
from service.query.language.words import Filter


def check_filters(filters: Iterable[Filter], place: str = "filters") -> None:
    """Raise InvalidInput for what is wrong in filters that stand at a place of the document."""
    count = sum(_checked(f, f"{place}[{n}]", 1) for n, f in enumerate(filters))
    if count > words.MOST_FILTERS:
        raise InvalidInput(f"there may be at most {words.MOST_FILTERS} filters", place)


def _checked(found: Filter, place: str, depth: int) -> int:
    """How many filters there are in this one. Raises InvalidInput for what is wrong in it."""
    if depth > words.DEEPEST_FILTERS:
        raise InvalidInput(
            f"`{place}`: filters may be {words.DEEPEST_FILTERS} deep in each other", place
        )
    if isinstance(found, words.And | words.Or):
        parts = enumerate(found.filters)
        return 1 + sum(_checked(f, f"{place}.filters[{n}]", depth + 1) for n, f in parts)
    if isinstance(found, words.Not):
        return 1 + _checked(found.filter, f"{place}.filter", depth + 1)
    _check_kind(found, field_named(found.field, f"{place}.field"), place)
    return 1


def _check_kind(found: words.Leaf, field: Field, place: str) -> None:
    """A column holds values of one kind: another kind in a filter is a mistake, not a miss."""
    if isinstance(found, words.Comparison) and isinstance(field, Column):
        raise InvalidInput(
            f"`{place}`: `{found.field}` is a text; {_op(found)} is of numbers", place
        )
    if isinstance(found, words.Contains | words.StartsWith) and isinstance(field, Number):
        raise InvalidInput(
            f"`{place}`: `{found.field}` is a number; {_op(found)} is of texts", place
        )
    if isinstance(found, words.Is | words.IsNot):
        _check_value(found.value, field, f"{place}.value")
    if isinstance(found, words.In | words.NotIn):
        for number, value in enumerate(found.values):
            _check_value(value, field, f"{place}.values[{number}]")


def _check_value(value: words.Value, field: Field, place: str) -> None:
    if isinstance(field, Column) and not (value is None or (isinstance(value, str) and value)):
        raise InvalidInput(f"`{place}` must be a text of at least one character, or null", place)
    if isinstance(field, Number) and (value is not None and type(value) is not float):
        raise InvalidInput(f"`{place}` must be a number, or null", place)


def _op(found: Filter) -> str:
    return str(type(found).__struct_config__.tag)
