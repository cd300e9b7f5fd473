"""Tables as bytes, piece by piece: what has been written once is not kept.

CSV follows RFC 4180 (UTF-8, a line of names first, an empty cell for nothing, `""` for an empty
text) and is safe to open in a spreadsheet: a text that begins like a formula gets an apostrophe
before it (https://owasp.org/www-community/attacks/CSV_Injection). Numbers stay numbers.
"""

import io
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Protocol

import msgspec
import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import csv, parquet

from service.formats.choice import ARROW, CSV, NDJSON, PARQUET, Format
from service.formats.columns import DOCUMENT

_FORMULA = "^[=+\\-@\t\r\n＝＋－＠]"
_ISO = "%Y-%m-%dT%H:%M:%SZ"
_COMPRESSED = pa.ipc.IpcWriteOptions(compression="zstd")

_encode_lines = msgspec.json.Encoder().encode_lines


class Encoder(Protocol):
    """Writes tables of one schema one after the other; what it returns, joined, is the file."""

    def begin(self) -> bytes:
        """What comes before the first table."""
        ...

    def write(self, table: pa.Table) -> bytes: ...

    def end(self) -> bytes:
        """What comes after the last table."""
        ...


def encoded(form: Format, table: pa.Table) -> bytes:
    """The whole table as a file."""
    encoder = encoder_of(form, table.schema)
    return b"".join((encoder.begin(), encoder.write(table), encoder.end()))


def encoder_of(form: Format, schema: pa.Schema) -> Encoder:
    """The encoder of a form for tables of this schema; KeyError for a form that is no table's."""
    return _ENCODERS[form](schema)


class _Csv:
    def __init__(self, schema: pa.Schema) -> None:
        self._schema = schema

    def begin(self) -> bytes:
        names = pa.array(self._schema.names, pa.string())
        return b",".join(b'"%b"' % _quoted(name) for name in _safe(names).to_pylist()) + b"\r\n"

    def write(self, table: pa.Table) -> bytes:
        sink = io.BytesIO()
        plain = {f"c{n}": _cells(column) for n, column in enumerate(_columns(table))}
        options = csv.WriteOptions(include_header=False, eol="\r\n")
        csv.write_csv(pa.table(plain), sink, options)
        return sink.getvalue()

    def end(self) -> bytes:
        return b""


class _Ndjson:
    def __init__(self, schema: pa.Schema) -> None:
        pass

    def begin(self) -> bytes:
        return b""

    def write(self, table: pa.Table) -> bytes:
        columns = [_values(column) for column in _columns(table)]
        names = table.column_names
        rows = zip(*columns, strict=True)
        return _encode_lines([dict(zip(names, row, strict=True)) for row in rows])

    def end(self) -> bytes:
        return b""


class _Parquet:
    """One row group a table."""

    def __init__(self, schema: pa.Schema) -> None:
        self._sink = _Drained()
        self._writer = parquet.ParquetWriter(self._sink, schema, compression="zstd")

    def begin(self) -> bytes:
        return self._sink.drain()

    def write(self, table: pa.Table) -> bytes:
        self._writer.write_table(table)
        return self._sink.drain()

    def end(self) -> bytes:
        self._writer.close()
        return self._sink.drain()


class _Arrow:
    """One record batch a table."""

    def __init__(self, schema: pa.Schema) -> None:
        self._sink = _Drained()
        self._writer = pa.ipc.new_stream(self._sink, schema, options=_COMPRESSED)

    def begin(self) -> bytes:
        return self._sink.drain()

    def write(self, table: pa.Table) -> bytes:
        self._writer.write_table(table.combine_chunks())
        return self._sink.drain()

    def end(self) -> bytes:
        self._writer.close()
        return self._sink.drain()


class _Drained(io.RawIOBase):
    """A file that lets go of what was written once it is taken."""

    def __init__(self) -> None:
        self._pieces: list[bytes] = []
        self._size = 0

    def writable(self) -> bool:
        return True

    def write(self, piece: Any) -> int:
        self._pieces.append(bytes(piece))
        self._size += len(piece)
        return len(piece)

    def tell(self) -> int:
        return self._size

    def drain(self) -> bytes:
        pieces, self._pieces = self._pieces, []
        return b"".join(pieces)


_ENCODERS: Mapping[Format, Callable[[pa.Schema], Encoder]] = {
    CSV: _Csv,
    NDJSON: _Ndjson,
    PARQUET: _Parquet,
    ARROW: _Arrow,
}


def _columns(table: pa.Table) -> Iterator[pa.ChunkedArray]:
    """The columns, times as ISO 8601 texts."""
    for column in table.columns:
        if pa.types.is_timestamp(column.type):
            yield pc.strftime(column.cast(pa.timestamp("ms")), _ISO)
        else:
            yield column


def _cells(column: pa.ChunkedArray) -> pa.ChunkedArray:
    if column.type == DOCUMENT:
        column = column.cast(pa.string())
    return _safe(column) if pa.types.is_string(column.type) else column


def _safe(texts: Any) -> Any:
    """Texts that no spreadsheet takes for a formula."""
    harmful = pc.match_substring_regex(texts, _FORMULA)
    return pc.if_else(harmful, pc.binary_join_element_wise("'", texts, ""), texts)


def _quoted(name: str) -> bytes:
    return name.replace('"', '""').encode()


def _values(column: pa.ChunkedArray) -> Sequence[Any]:
    if column.type != DOCUMENT:
        return column.to_pylist()  # type: ignore[no-any-return]
    texts = column.cast(pa.string()).to_pylist()
    return [None if text is None else msgspec.Raw(text.encode()) for text in texts]
