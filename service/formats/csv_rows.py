"""Rows of a CSV file of any size, one at a time, with a cursor at which reading can go on.

RFC 4180 and its usual kin: another delimiter (`;`, tab, `|`), a byte order mark, UTF-8, UTF-16 or
Windows-1252, quoted cells with newlines in them, lines that end in CR alone. What breaks a row
breaks no other: after a quote that is never closed, reading goes on at the line below.
"""

import codecs
import csv
import io
from collections.abc import Generator, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path
from typing import Any

import msgspec

from service.errors import InvalidInput

LONGEST_ROW = 1024 * 1024
"""Characters; a quote that is never closed must not fill the memory."""
DELIMITERS = (",", ";", "\t", "|")

_MARKS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
_SAMPLE = 64 * 1024
_SAMPLE_ROWS = 50
_PIECE = 1024 * 1024


class Cursor(msgspec.Struct, frozen=True):
    """A place between two rows: bytes, rows and lines before it, the header's line among them."""

    byte: int = 0
    row: int = 0
    line: int = 0


@dataclass(frozen=True, slots=True)
class Form:
    """How a file is to be read."""

    encoding: str
    delimiter: str
    begin: int = 0
    """Bytes of the byte order mark."""
    newline: str = "\n"


@dataclass(frozen=True, slots=True)
class Row:
    """A row: its number from 1 without the header, its first line from 1, and what is in it."""

    number: int
    line: int
    cells: Sequence[str]
    after: Cursor
    problem: str = ""
    """Why it cannot be read; it has no cells then."""


class CsvFile:
    """A CSV file with a header. `form` says how to read it; None finds out by looking at it.

    Raises InvalidInput when it cannot be read at all: empty, no header, a name twice in it.
    """

    def __init__(self, path: Path, form: Form | None = None) -> None:
        self.path = path
        self.form = form or detected(path)
        with closing(self._parsed(Cursor(self.form.begin))) as rows:
            first = next(rows, None)
        if first is None or not any(cell.strip() for cell in first.cells):
            reason = first.problem if first and first.problem else "there is no header"
            raise InvalidInput(f"{path.name}, line 1: {reason}")
        self.header = [cell.strip() for cell in first.cells]
        self._begin = Cursor(first.after.byte, 0, first.after.line)
        named = [name for name in self.header if name]
        if twice := sorted({name for name in named if named.count(name) > 1}):
            raise InvalidInput(f"{path.name}, line 1: {', '.join(twice)}: twice in the header")

    def rows(self, after: Cursor | None = None) -> Iterator[Row]:
        """The rows behind a cursor, or all. Raises InvalidInput when the file cannot be read."""
        width = len(self.header)
        for row in self._parsed(after or self._begin):
            if row.problem or len(row.cells) == width:
                yield row
            else:
                reason = f"{len(row.cells)} cells, the header has {width}"
                yield Row(row.number, row.line, (), row.after, reason)

    def _parsed(self, after: Cursor) -> Generator[Row, None, None]:
        try:
            with closing(_Lines(self.path, self.form, after)) as lines:
                yield from _rows(lines, self.form.delimiter, after.row)
        except OSError as error:
            raise InvalidInput(f"{self.path.name}: {error.strerror}") from error
        except UnicodeError as error:
            raise InvalidInput(f"{self.path.name}: not {self.form.encoding}: {error}") from error


class _Lines:
    """The lines of a file, and which place they lead to."""

    def __init__(self, path: Path, form: Form, at: Cursor) -> None:
        self._file = path.open("rb")
        self._form = form
        self._errors = "surrogatepass" if form.encoding.startswith("utf-16") else "surrogateescape"
        self._text: io.TextIOWrapper | None = None
        self.go_to(at.byte, at.line)

    def go_to(self, byte: int, line: int) -> None:
        """Read on from here."""
        if self._text is not None:
            self._text.detach()
        self._file.seek(byte)
        self._text = io.TextIOWrapper(
            self._file, self._form.encoding, self._errors, newline=self._form.newline
        )
        self.byte, self.line = byte, line
        self.begin_row()

    def close(self) -> None:
        assert self._text is not None
        self._text.close()

    def begin_row(self) -> None:
        """The next line is the first one of a row."""
        self.first: tuple[int, int] | None = None
        self._size = 0

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        text = self._take()
        if not text:
            raise StopIteration
        self.line += 1
        while self._size > LONGEST_ROW and not text.endswith(self._form.newline):
            if not (text := self._take()):
                break
        self.first = self.first or (self.byte, self.line)
        if self._size > LONGEST_ROW:
            raise csv.Error(f"longer than {LONGEST_ROW:,} characters")
        return text

    def _take(self) -> str:
        assert self._text is not None
        text = self._text.readline(LONGEST_ROW + 1)
        self._size += len(text)
        wide = not text.isascii() or self._form.encoding.startswith("utf-16")
        self.byte += len(text.encode(self._form.encoding, self._errors)) if wide else len(text)
        return text


def _rows(lines: _Lines, delimiter: str, number: int) -> Iterator[Row]:
    """Each row, blank lines left out; one that cannot be read takes one line alone."""
    reader = csv.reader(lines, delimiter=delimiter, strict=True)
    while True:
        lines.begin_row()
        begin, problem, cells = lines.line + 1, "", []
        try:
            cells = next(reader)
            "".join(cells).encode()
        except StopIteration:
            return
        except UnicodeEncodeError:
            problem, cells = "not in the encoding of the file", []
        except csv.Error as error:
            problem = str(error)
            if lines.first and lines.first[1] < lines.line:
                lines.go_to(*lines.first)
                reader = csv.reader(lines, delimiter=delimiter, strict=True)
        if cells or problem:
            number += 1
            yield Row(number, begin, cells, Cursor(lines.byte, number, lines.line), problem)


@dataclass(frozen=True, slots=True)
class Examined:
    """What one pass over all bytes of a file tells."""

    digest: bytes
    size: int
    form: Form


def examined(path: Path, encoding: str = "", delimiter: str = "") -> Examined:
    """Read all of a file once: its digest, its size, and how its rows are to be read.

    Raises InvalidInput when it cannot be opened, or the encoding is unknown.
    """
    digest, size = blake2b(digest_size=32), 0
    judge: Any = codecs.getincrementaldecoder("utf-8")()
    try:
        with path.open("rb") as file:
            while piece := file.read(_PIECE):
                digest.update(piece)
                size += len(piece)
                judge = judge if _decodes(judge, piece) else None
    except OSError as error:
        raise InvalidInput(f"{path.name}: {error.strerror}") from error
    found = encoding or ("utf-8" if _decodes(judge, b"", final=True) else "cp1252")
    return Examined(digest.digest(), size, form_of(_read(path), found, delimiter, bool(encoding)))


def detected(path: Path) -> Form:
    """How a file is to be read, by its first 64 KiB."""
    sample = _read(path)
    judge = codecs.getincrementaldecoder("utf-8")()
    return form_of(sample, "utf-8" if _decodes(judge, sample) else "cp1252")


def form_of(sample: bytes, encoding: str, delimiter: str = "", insist: bool = False) -> Form:
    """The form of a file that begins with `sample`; a byte order mark is believed before
    `encoding`, unless one insists. Raises InvalidInput for an encoding that there is not."""
    mark, marked = next(((m, e) for m, e in _MARKS if sample.startswith(m)), (b"", ""))
    name = encoding if insist and not marked else marked or encoding
    try:
        codec = codecs.lookup(name).name
        text = sample[len(mark) :].decode(codec, "replace")
    except LookupError:
        raise InvalidInput(f"there is no encoding {name!r}") from None
    newline = "\r" if "\n" not in text and "\r" in text else "\n"
    return Form(codec, delimiter or _delimiter(text, newline), len(mark), newline)


def _read(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(_SAMPLE)
    except OSError as error:
        raise InvalidInput(f"{path.name}: {error.strerror}") from error


def _decodes(judge: Any, piece: bytes, final: bool = False) -> bool:
    if judge is None:
        return False
    try:
        judge.decode(piece, final)
    except UnicodeDecodeError:
        return False
    return True


def _delimiter(text: str, newline: str) -> str:
    """The one that cuts the first rows into the same number of cells, the most of them."""
    lines = text.split(newline)
    whole = lines[:-1] if len(lines) > 1 else lines
    return max(DELIMITERS, key=lambda one: _cells(whole, one))


def _cells(lines: Sequence[str], delimiter: str) -> tuple[bool, int]:
    """Whether all of the first rows have the header's number of cells, and how many it has."""
    widths: list[int] = []
    try:
        for row in csv.reader((line + "\n" for line in lines), delimiter=delimiter):
            widths += [len(row)] if row else []
            if len(widths) == _SAMPLE_ROWS:
                break
    except csv.Error:
        return False, 0
    width = widths[0] if widths else 0
    return width > 1 and widths.count(width) == len(widths), width
