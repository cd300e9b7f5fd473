"""Recordings in files: NDJSON or CSV, plain, gzip or zstd, a few lines in memory at a time.

Compression is recognised by a file's first bytes, the form by its name (`.csv`, or `.ndjson`,
`.jsonl`, `.json`, with `.gz` or `.zst` behind) or else by whether it begins with a brace.
"""

import csv
import io
import math
import re
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from functools import partial
from hashlib import blake2b
from pathlib import Path
from typing import Any, TypeVar

import msgspec
import pyarrow as pa

from service.errors import InvalidInput
from service.recordings.recording import BadLine, Extent, Record, measured

LONGEST_LINE = 1024 * 1024
"""Bytes; events are far smaller, and garbage must not fill the memory."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_REQUIRED = ("eventType", "userId", "sessionId", "timestamp")
_TEXTS = frozenset({"eventId", *_REQUIRED})
_OBJECTS = frozenset({"metadata", "payload"})
_NUMBER = re.compile(r"-?(0|[1-9]\d*)(\.\d+)?([eE][+-]?\d+)?")

Line = Record | BadLine
Source = TypeVar("Source", bytes, list[str])


class RecordedFile:
    """Events kept in a file. One without `eventId` gets an id made of its line's number and text,
    so that the same file sent twice counts once."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.name = str(path)

    def extent(self) -> Extent:
        """How much it holds. Raises InvalidInput if it cannot be read or has no event at all."""
        return measured(self.name, self.records())

    def records(self) -> Iterator[Line]:
        """Its lines. Raises InvalidInput if it cannot be opened, has no usable CSV header, or
        breaks off in the middle of its compressed data."""
        line = 0
        try:
            with io.BufferedReader(_inflated(self.path)) as stream:
                for record in _form(self.path, stream)(stream):
                    line = record.line
                    yield record
        except (OSError, pa.ArrowException) as error:
            where = f", after line {line}" if line else ""
            reason = getattr(error, "strerror", None) or error
            raise InvalidInput(f"{self.name}{where}: {reason}") from error
        except InvalidInput as error:
            raise InvalidInput(f"{self.name}: {error}") from error


def _inflated(path: Path) -> Any:
    """The plain bytes of a file; broken compressed data raises OSError where it breaks."""
    with path.open("rb") as raw:
        magic = raw.read(4)
    if magic == b"\x28\xb5\x2f\xfd":
        return pa.input_stream(str(path), compression="zstd")
    if magic[:2] == b"\x1f\x8b":
        return pa.input_stream(str(path), compression="gzip")
    return path.open("rb", buffering=0)


def _form(path: Path, stream: io.BufferedReader) -> Callable[[io.BufferedReader], Iterator[Line]]:
    suffixes = [suffix.lower() for suffix in path.suffixes if suffix not in {".gz", ".zst"}]
    if suffixes and suffixes[-1] == ".csv":
        return _csv
    if suffixes and suffixes[-1] in {".ndjson", ".jsonl", ".json"}:
        return _ndjson
    return _ndjson if stream.peek(64).lstrip().startswith(b"{") else _csv


def _ndjson(stream: io.BufferedReader) -> Iterator[Line]:
    decode = msgspec.json.Decoder().decode
    for line, text in _lines(stream):
        if text is None:
            yield BadLine(line, f"longer than {LONGEST_LINE:,} bytes")
        elif text.strip():
            yield _parsed(line, text, decode, text)


def _lines(stream: io.BufferedReader) -> Iterator[tuple[int, bytes | None]]:
    """Each line with its number; None for one that is too long to be an event."""
    number = 0
    while text := stream.readline(LONGEST_LINE):
        number += 1
        complete = text.endswith(b"\n") or len(text) < LONGEST_LINE
        yield number, text if complete else None
        while not complete:
            rest = stream.readline(LONGEST_LINE)
            complete = rest.endswith(b"\n") or len(rest) < LONGEST_LINE


def _csv(stream: io.BufferedReader) -> Iterator[Line]:
    with io.TextIOWrapper(stream, "utf-8-sig", errors="surrogateescape", newline="") as text:
        rows = csv.reader(text, strict=True)
        event_of = partial(_event, _header(rows))
        for line, row in _rows(rows):
            if isinstance(row, csv.Error):
                yield BadLine(line, str(row))
            elif row:
                yield _parsed(line, repr(row).encode(), event_of, row)


def _rows(rows: Any) -> Iterator[tuple[int, list[str] | csv.Error]]:
    """Each row with the number of its last line; a broken one as its error."""
    while True:
        try:
            row: list[str] | csv.Error | None = next(rows, None)
        except csv.Error as error:
            row = error
        if row is None:
            return
        yield rows.line_num, row


def _header(rows: Iterator[list[str]]) -> list[str]:
    try:
        header = [name.strip() for name in next(rows, [])]
    except csv.Error as error:
        raise InvalidInput(f"line 1: {error}") from error
    if not header:
        raise InvalidInput("it is empty")
    if missing := [name for name in _REQUIRED if name not in header]:
        raise InvalidInput(f"line 1: the CSV header lacks {', '.join(missing)}")
    return header


def _event(header: list[str], row: list[str]) -> dict[str, Any]:
    """The event of a CSV row; columns that are no field of an event go to its payload."""
    if len(row) != len(header):
        raise ValueError(f"{len(row)} cells, the header has {len(header)}")
    "".join(row).encode()  # raises for what was no UTF-8
    event: dict[str, Any] = {}
    others: dict[str, Any] = {}
    for name, cell in zip(header, row, strict=True):
        if cell == "":
            continue
        if name in _TEXTS:
            event[name] = cell
        elif name in _OBJECTS:
            event[name] = msgspec.json.decode(cell, type=dict[str, Any])
        elif name == "priority":
            event[name] = _value(cell)
        else:
            others[name] = _value(cell)
    if others:
        event["payload"] = {**event.get("payload", {}), **others}
    return event


def _value(cell: str) -> int | float | str:
    """A number if the cell is one as JSON writes it (`007` stays a text), otherwise its text."""
    if not (match := _NUMBER.fullmatch(cell)):
        return cell
    if not (match[2] or match[3]):
        return int(cell)
    return value if math.isfinite(value := float(cell)) else cell


def _parsed(line: int, text: bytes, parse: Callable[[Source], Any], source: Source) -> Line:
    """The record of a line, with an id and its timestamp as a moment."""
    try:
        event = parse(source)
        if type(event) is not dict:
            raise ValueError("not a JSON object")
        moment = _moment(event.get("timestamp"))
    except UnicodeError:
        return BadLine(line, "not UTF-8")
    except (ValueError, RecursionError, msgspec.MsgspecError) as error:
        return BadLine(line, str(error))
    event["timestamp"] = moment
    if not event.get("eventId"):
        event["eventId"] = _id(line, text)
    return Record(line, (moment - _EPOCH) // timedelta(milliseconds=1), event)


def _moment(value: Any) -> datetime:
    """An ISO 8601 time; without an offset it means UTC, as everywhere in the service."""
    if value is None:
        raise ValueError("no timestamp")
    try:
        moment = datetime.fromisoformat(value)
        return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    except (TypeError, ValueError, OverflowError):
        raise ValueError(f"timestamp {str(value)[:40]!r} is not an ISO 8601 time") from None


def _id(line: int, text: bytes) -> str:
    return f"line-{blake2b(b'%d ' % line + text.rstrip(), digest_size=16).hexdigest()}"
