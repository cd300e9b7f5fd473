"""Groups of events, by what they are told apart: the columns that the values of a group have.

The value of each field is a key, and beside it a rank if the key leaves open which number it is.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from service.query.language.conditions import (
    Terms,
    column,
    has_rank,
    in_order,
    named,
    value_of,
)
from service.query.language.fields import Field
from service.query.language.words import Value
from service.storage.protocol import Statement


def group_columns(group: int, field: Field) -> list[str]:
    """The columns that the values of a group have."""
    return [f"key{group}", f"rank{group}"] if has_rank(field) else [f"key{group}"]


def key_columns(groups: Sequence[Field]) -> list[str]:
    """The columns of all groups."""
    return [name for n, field in enumerate(groups) for name in group_columns(n, field)]


def names_of(groups: Sequence[Field]) -> list[Statement]:
    """The same as pieces."""
    return [named(name) for name in key_columns(groups)]


def columns_of(groups: Sequence[Field], terms: Terms) -> list[Statement]:
    """What the facts have to have for these groups."""
    return [
        column(name, piece)
        for n, group in enumerate(groups)
        for name, piece in zip(
            group_columns(n, group), [terms.key(group), terms.rank(group)], strict=False
        )
    ]


def in_place(group: int, field: Field) -> list[Statement]:
    """What the values of a group are put in order by."""
    key, *rank = group_columns(group, field)
    return [in_order(field, key), *map(named, rank)]


def values_of(
    names: Sequence[str], groups: Sequence[Field], row: Mapping[str, Any]
) -> dict[str, Value | int]:
    """The values of a group by the names of its fields, as answers show them."""
    return {
        name: value_of(field, row[f"key{n}"], row.get(f"rank{n}"))
        for n, (name, field) in enumerate(zip(names, groups, strict=True))
    }
