"""CSV_SOURCE: the rows of a CSV file in the environment's folder below `HEADRACE_FILES_DIR`.

Delivery: each row once. The cursor is the byte behind the row; a file that grows is read on, one
that became shorter stops the pipeline, for it is another file. Constant memory. A row that cannot
be read becomes `{"_problem": ..., "_line": ...}`, which a mapper refuses into the dead letters.

A row becomes an object of texts by the names of the header.
"""

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import Annotated, Any

import msgspec

from service.errors import ConnectorBroken, InvalidInput
from service.formats.csv_rows import CsvFile, Form, Row, form_of
from service.formats.csv_rows import Cursor as Place
from service.pipelines.connectors.protocol import Source, Surroundings
from service.pipelines.model import Cursor, SourceMessage, Taken

MOST_BYTES = 4 * 1024 * 1024
"""Of the rows that one reading gives."""
LOOK_SECONDS = 1.0
"""How often a file that was read to its end is looked at again."""
_SAMPLE = 64 * 1024


class CsvSource(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which file, and how it is written. What is left out is found out by looking at it."""

    path: Annotated[str, msgspec.Meta(min_length=1, max_length=1024)]
    """Below the environment's folder."""
    delimiter: Annotated[str, msgspec.Meta(max_length=1)] = ""
    encoding: Annotated[str, msgspec.Meta(max_length=32)] = ""
    """A byte order mark is believed before it."""
    aliases: Mapping[str, str] = {}
    """Other names for columns: `{"E-Mail": "email"}`."""
    key: str = ""
    """The column by which rows keep their order, after the aliases; empty: all keep theirs."""


async def open_csv_source(config: CsvSource, surroundings: Surroundings) -> Source:
    """Raises InvalidInput for a file that cannot be read, ConnectorBroken where none may be."""
    return _CsvSource(config, await asyncio.to_thread(_opened, config, surroundings))


async def check_csv_source(config: CsvSource, surroundings: Surroundings) -> None:
    """Reads the header. Raises as opening does."""
    await open_csv_source(config, surroundings)


async def csv_files(_: CsvSource, surroundings: Surroundings) -> Sequence[str]:
    """The files that there are to read."""
    return await asyncio.to_thread(_files, _folder(surroundings))


async def fetch_from_csv(
    config: CsvSource, surroundings: Surroundings, topic: str, most: int
) -> Sequence[SourceMessage]:
    """The first rows of a file. Raises as opening does."""
    there = msgspec.structs.replace(config, path=topic or config.path)
    source = await open_csv_source(there, surroundings)
    return (await source.read(None, most, 0)).messages


def _opened(config: CsvSource, surroundings: Surroundings) -> CsvFile:
    folder = _folder(surroundings)
    path = (folder / config.path).resolve()
    if not path.is_relative_to(folder) or not path.is_file():
        raise InvalidInput(f"there is no file {config.path!r} in the environment's folder", "path")
    form = _form(path, config)
    file = CsvFile(path, form)
    names = [config.aliases.get(name, name) for name in file.header]
    for name in config.aliases:
        if name not in file.header:
            raise InvalidInput(f"the header has no column {name!r}", "aliases")
    if config.key and config.key not in names:
        raise InvalidInput(f"there is no column {config.key!r}", "key")
    return file


def _form(path: Path, config: CsvSource) -> Form | None:
    if not config.delimiter and not config.encoding:
        return None
    with path.open("rb") as file:
        sample = file.read(_SAMPLE)
    return form_of(sample, config.encoding or "utf-8", config.delimiter, bool(config.encoding))


def _folder(surroundings: Surroundings) -> Path:
    if surroundings.files is None:
        raise ConnectorBroken("HEADRACE_FILES_DIR names no folder that files may be read from")
    return surroundings.files.resolve()


def _files(folder: Path) -> Sequence[str]:
    found = (path for path in folder.rglob("*") if path.is_file())
    return sorted(str(path.relative_to(folder)) for path in found)


class _CsvSource:
    def __init__(self, config: CsvSource, file: CsvFile) -> None:
        self._key = config.key
        self._file = file
        self._names = [config.aliases.get(name, name) for name in file.header]
        self._rows: Iterator[Row] | None = None
        self._cursor: Cursor | None = None

    async def read(self, after: Cursor | None, most: int, wait: float) -> Taken:
        taken = await asyncio.to_thread(self._take, after, most)
        if not taken.messages and wait:
            await asyncio.sleep(min(wait, LOOK_SECONDS))
        return taken

    async def ping(self) -> None:
        if not await asyncio.to_thread(self._file.path.is_file):
            raise ConnectorBroken(f"there is no file {self._file.path.name} any more")

    async def close(self) -> None:
        self._rows = None

    def _take(self, after: Cursor | None, most: int) -> Taken:
        if self._rows is None or after is None or after != self._cursor:
            self._rows = self._from(after)
        messages: list[SourceMessage] = []
        size, last = 0, after or {}
        for row in islice(self._rows, most):
            messages.append(self._message(row))
            last = msgspec.to_builtins(row.after)
            size += sum(map(len, row.cells))
            if size >= MOST_BYTES:
                break
        else:
            if len(messages) < most:
                self._rows = None  # the end, until the file grows
        self._cursor = last
        return Taken(messages, last)

    def _from(self, after: Cursor | None) -> Iterator[Row]:
        place = msgspec.convert(after, Place) if after else None
        try:
            size = self._file.path.stat().st_size
        except OSError as error:
            raise ConnectorBroken(f"{self._file.path.name}: {error.strerror}") from error
        if place and place.byte > size:
            raise ConnectorBroken(f"{self._file.path.name} became shorter: it is another file")
        return self._file.rows(place)

    def _message(self, row: Row) -> SourceMessage:
        if row.problem:
            value: Mapping[str, Any] = {"_problem": row.problem, "_line": row.line}
        else:
            value = dict(zip(self._names, row.cells, strict=True))
        key = value.get(self._key, "") if self._key else self._file.path.name
        return SourceMessage(value, str(key).encode(), None, {"row": row.number, "line": row.line})
