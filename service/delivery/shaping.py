"""From a row of the CSV to the JSON object that is sent."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any

from service.delivery.cleaning import OMIT, Clean, cleaner, plain
from service.delivery.columns import Column
from service.errors import InvalidInput

_GAP = re.compile(r"[\s_\-]+")


@dataclass(frozen=True, slots=True)
class Shaped:
    """A row as it is sent; with problems, it is not."""

    body: dict[str, Any]
    keys: Sequence[str]
    """What a report may say of it."""
    problems: Sequence[str]


class Shape:
    """What each column of one file becomes.

    Columns are found by their name or an alias, whatever the case, with blanks, `_` and `-` alike.
    With a mapping (column -> field of the API) only what it names is sent.
    Raises InvalidInput when a column that is needed is not in the header.
    """

    def __init__(
        self,
        header: Sequence[str],
        columns: Mapping[str, Column],
        mapping: Mapping[str, str] | None,
        key_columns: Sequence[str],
    ) -> None:
        places = _places(header, columns)
        self._fields = [
            (places.at(name, kind), name, field, _clean(columns, name))
            for name, field, kind in _wanted(places, columns, mapping)
            if places.has(name)
        ]
        if not self._fields:
            raise InvalidInput(f"no column is to be sent; the file has: {', '.join(header)}")
        self._keys = [places.at(name, "report.key_columns") for name in key_columns]

    @property
    def fields(self) -> Sequence[tuple[str, str]]:
        """The columns that are sent, each with the field it becomes."""
        return [(name, field) for _, name, field, _ in self._fields]

    def of(self, cells: Sequence[str]) -> Shaped:
        """The object of a row."""
        body: dict[str, Any] = {}
        problems: list[str] = []
        for place, name, field, clean in self._fields:
            try:
                value = clean(cells[place])
            except ValueError as error:
                problems.append(f"{name} {error}")
            else:
                if value is not OMIT:
                    body[field] = value
        return Shaped(body, [cells[place] for place in self._keys], problems)


@dataclass(frozen=True, slots=True)
class _Places:
    header: Sequence[str]
    by_name: Mapping[str, int]
    """By the name that the configuration uses, normalised."""

    def has(self, name: str) -> bool:
        return _alike(name) in self.by_name

    def at(self, name: str, wanted_by: str) -> int:
        if (place := self.by_name.get(_alike(name))) is not None:
            return place
        near = get_close_matches(_alike(name), self.by_name, 1)
        hint = (
            f"; did you mean {near[0]!r}?" if near else "; name it under `columns`, by `aliases`."
        )
        there = ", ".join(self.header)
        raise InvalidInput(f"the file has no column {name!r} ({wanted_by}){hint} It has: {there}")


def _places(header: Sequence[str], columns: Mapping[str, Column]) -> _Places:
    """Where each column stands. Raises InvalidInput when two of them are the same one."""
    names = {_alike(name): name for name in columns}
    for name, column in columns.items():
        names |= {_alike(alias): name for alias in column.aliases}
    found: dict[str, int] = {}
    for place, heading in enumerate(header):
        name = _alike(names.get(_alike(heading), heading))
        if name in found:
            raise InvalidInput(f"{header[found[name]]!r} and {heading!r} are the same column")
        if heading:
            found[name] = place
    return _Places(header, found)


def _wanted(
    places: _Places, columns: Mapping[str, Column], mapping: Mapping[str, str] | None
) -> Sequence[tuple[str, str, str]]:
    """Name, field of the API and reason of each column that is to be sent; required ones and
    those of a mapping have to be there."""
    required = {_alike(name) for name, column in columns.items() if column.required}
    if mapping is not None:
        for name in mapping:
            if _alike(name) in required:
                places.at(name, "required")
        if not any(places.has(name) for name in mapping):
            places.at(next(iter(mapping), "?"), "api_mappings")
        return [(name, field, "api_mappings") for name, field in mapping.items()]
    for name in columns:
        if _alike(name) in required:
            places.at(name, "required")
    named = {_alike(name): name for name in columns}
    there = {place: name for name, place in places.by_name.items()}
    wanted = [named.get(there[place], places.header[place]) for place in sorted(there)]
    return [(name, name, "header") for name in wanted]


def _clean(columns: Mapping[str, Column], name: str) -> Clean:
    named = {_alike(known): column for known, column in columns.items()}
    return cleaner(named[_alike(name)]) if _alike(name) in named else plain


def _alike(name: str) -> str:
    return _GAP.sub("_", name.strip().casefold())
