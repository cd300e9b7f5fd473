"""The mapper: which part of a message becomes which column of a record.

A path that names one value gives one record a message. A path with a wildcard gives a record for
each element; columns meet where they chose the same elements, so that lists of one depth are
zipped, and what stands above a list is repeated for its elements. A message whose lists are empty
or missing gives one record, in which those columns are null.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from service.errors import InvalidInput
from service.pipelines.casts import Cast, CastName, cast_of
from service.pipelines.paths import Path, Place

MOST_COLUMNS = 1000
MOST_RECORDS = 10_000
"""Records that one message may become."""

Message = Mapping[str, Any]
Record = dict[str, Any]


class Column(msgspec.Struct, forbid_unknown_fields=True):
    """One column as the configuration has it."""

    key: str
    path: str | None = None
    static: Any = None
    cast: CastName | None = None
    cast_format: str | None = None
    primary_key: bool = False
    nullable: bool | None = None


class Miss(msgspec.Struct, frozen=True):
    """Why a column of a message has no value."""

    key: str
    reason: str


@dataclass(frozen=True, slots=True)
class Failed:
    """A message that could not be mapped; `index` is its place among those given."""

    index: int
    misses: Sequence[Miss]


@dataclass(frozen=True, slots=True)
class Mapped:
    """Records in the order of their messages, and the messages that gave none."""

    records: Sequence[Record]
    failed: Sequence[Failed]
    origins: Sequence[int]
    """Of each record, the place of its message among those given."""


class Mapper:
    """A compiled configuration. Maps many messages at once: each column costs one pass."""

    def __init__(self, columns: Sequence[Column]) -> None:
        """Raises InvalidInput, naming the column and what is wrong with it."""
        if not 1 <= len(columns) <= MOST_COLUMNS:
            raise InvalidInput(f"a mapper has 1 to {MOST_COLUMNS} columns", "config")
        self._columns = [_Compiled(at, column) for at, column in enumerate(columns)]
        self._keys = [column.key for column in columns]
        _refuse_repeats(self._keys)
        self.primary_key = [column.key for column in columns if column.primary_key]
        self._is_flat = not any(column.depth for column in self._columns)

    def map(self, messages: Sequence[Message]) -> Mapped:
        """A message is mapped whole, or is among the failed with a reason for each column."""
        if self._is_flat:
            return self._map_flat(messages)
        return self._map_deep(messages)

    def _map_flat(self, messages: Sequence[Message]) -> Mapped:
        columns = [column.of_each(messages) for column in self._columns]
        misses: dict[int, list[Miss]] = {}
        for column, (_, missed) in zip(self._columns, columns, strict=True):
            for index, reason in missed.items():
                misses.setdefault(index, []).append(Miss(column.key, reason))
        keys = self._keys
        rows = zip(*(values for values, _ in columns), strict=True)
        if not misses:
            records = [dict(zip(keys, row, strict=True)) for row in rows]
            return Mapped(records, [], range(len(records)))
        kept = [dict(zip(keys, r, strict=True)) for i, r in enumerate(rows) if i not in misses]
        origins = [index for index in range(len(messages)) if index not in misses]
        return Mapped(kept, [Failed(index, misses[index]) for index in sorted(misses)], origins)

    def _map_deep(self, messages: Sequence[Message]) -> Mapped:
        records: list[Record] = []
        failed: list[Failed] = []
        origins: list[int] = []
        for index, message in enumerate(messages):
            made, misses = self._expand(message)
            if misses:
                failed.append(Failed(index, misses))
            else:
                records.extend(made)
                origins.extend([index] * len(made))
        return Mapped(records, failed, origins)

    def _expand(self, message: Message) -> tuple[list[Record], list[Miss]]:
        """The records of one message, one for each place that its deepest columns found."""
        found = [column.find(message) for column in self._columns]
        places = _places(found)
        if len(places) > MOST_RECORDS:
            about = f"the message would become {len(places)} records; {MOST_RECORDS} are allowed"
            return [], [Miss("", about)]
        misses: dict[str, Miss] = {}
        records = [dict(self._row(found, place, misses)) for place in places]
        return records, list(misses.values())

    def _row(
        self, found: Sequence[Mapping[Place, Any]], place: Place, misses: dict[str, Miss]
    ) -> Iterator[tuple[str, Any]]:
        for column, values in zip(self._columns, found, strict=True):
            try:
                yield column.key, column.finished(values.get(place[: column.depth]))
            except ValueError as error:
                misses.setdefault(column.key, Miss(column.key, str(error)))


class _Compiled:
    """One column, ready to be used."""

    def __init__(self, at: int, column: Column) -> None:
        field = f"config.{at}"
        if not column.key or len(column.key) > 255:
            raise InvalidInput("a key has 1 to 255 characters", f"{field}.key")
        if (column.path is None) == (column.static is None):
            raise InvalidInput("a column has either a path or a static value", field)
        if column.cast_format is not None and column.cast not in {"date", "datetime", "time"}:
            about = "cast_format goes with a cast to date, datetime or time"
            raise InvalidInput(about, f"{field}.cast_format")
        self.key = column.key
        self._cast: Cast | None = cast_of(column.cast, column.cast_format) if column.cast else None
        self._path = _path_of(column.path, field)
        self._static = self._constant(column.static, field)
        nullable = not column.primary_key if column.nullable is None else column.nullable
        self._needed = not nullable or column.primary_key
        self.depth = self._path.depth if self._path else 0

    def of_each(self, messages: Sequence[Message]) -> tuple[Sequence[Any], Mapping[int, str]]:
        """One value a message, and the reasons of those that have none by their places."""
        if self._path is None or self._path.steps is None:
            return [self._static] * len(messages), {}
        values = _dug(messages, self._path.steps)
        try:
            return self._all_finished(values), {}
        except ValueError:
            return self._each_finished(values)

    def find(self, message: Message) -> Mapping[Place, Any]:
        """The raw values by place."""
        if self._path is None:
            return {(): self._static}
        if self._path.steps is not None:
            return {(): _dig(message, self._path.steps)}
        return {found.place: found.value for found in self._path.find(message)}

    def finished(self, value: Any) -> Any:
        """The value after its cast. Raises ValueError with the reason."""
        if value is None:
            if self._needed:
                raise ValueError(f"there is no value at {self._path.text if self._path else ''}")
            return None
        return value if self._cast is None or self._path is None else self._cast(value)

    def _all_finished(self, values: Sequence[Any]) -> Sequence[Any]:
        cast = self._cast
        if self._needed and None in values:
            raise ValueError
        if cast is None:
            return values
        return [None if value is None else cast(value) for value in values]

    def _each_finished(self, values: Sequence[Any]) -> tuple[Sequence[Any], Mapping[int, str]]:
        finished, missed = list(values), {}
        for index, value in enumerate(values):
            try:
                finished[index] = self.finished(value)
            except ValueError as error:
                missed[index] = str(error)
        return finished, missed

    def _constant(self, value: Any, field: str) -> Any:
        if value is None or self._cast is None:
            return value
        try:
            return self._cast(value)
        except ValueError as error:
            raise InvalidInput(str(error), f"{field}.static") from None


def columns_of(config: Sequence[Mapping[str, Any]]) -> Sequence[Sequence[Column]]:
    """The columns of each table of a configuration: a list of columns, or the older list of tables
    `{"table_name", "fields"}`.

    Raises InvalidInput.
    """
    if not any("fields" in entry for entry in config):
        return [[_column(entry, f"config.{at}") for at, entry in enumerate(config)]]
    return [_fields(entry, f"config.{at}") for at, entry in enumerate(config)]


def _fields(entry: Mapping[str, Any], field: str) -> Sequence[Column]:
    listed = entry.get("fields")
    if set(entry) - {"table_name", "fields"} or not isinstance(listed, list):
        raise InvalidInput("a table has a table_name and a list of fields", field)
    return [_column(one, f"{field}.fields.{at}") for at, one in enumerate(listed)]


def _column(entry: Any, field: str) -> Column:
    try:
        return msgspec.convert(entry, Column)
    except msgspec.ValidationError as error:
        raise InvalidInput(str(error), field) from None


def _path_of(text: str | None, field: str) -> Path | None:
    try:
        return None if text is None else Path(text)
    except InvalidInput as error:
        raise InvalidInput(str(error), f"{field}.path") from None


def _refuse_repeats(keys: Sequence[str]) -> None:
    seen: set[str] = set()
    for at, key in enumerate(keys):
        if key in seen:
            raise InvalidInput(f"the key {key!r} stands twice", f"config.{at}.key")
        seen.add(key)


def _dug(messages: Sequence[Message], steps: Sequence[int | str]) -> Sequence[Any]:
    """The value at these steps of each message; None where there is none."""
    values: Sequence[Any] = messages
    if all(type(step) is str for step in steps):
        try:
            for step in steps:
                values = [value[step] for value in values]
            return values
        except (KeyError, TypeError):
            pass
    return [_dig(message, steps) for message in messages]


def _dig(value: Any, steps: Sequence[int | str]) -> Any:
    for step in steps:
        if isinstance(step, str):
            value = value.get(step) if isinstance(value, Mapping) else None
        elif isinstance(value, list) and -len(value) <= step < len(value):
            value = value[step]
        else:
            return None
    return value


def _places(found: Sequence[Mapping[Place, Any]]) -> Sequence[Place]:
    """The places of the deepest columns, in the order in which they stand in the message.

    One that lies above others is left to them, so that an element without a deeper list still
    gives a record.
    """
    every = dict.fromkeys(place for values in found for place in values)
    above = {place[:depth] for place in every for depth in range(len(place))}
    return [place for place in _in_order(every) if place not in above] or [()]


def _in_order(places: Mapping[Place, Any]) -> Sequence[Place]:
    if all(type(part) is int for place in places for part in place):
        return sorted(places)
    return list(places)
