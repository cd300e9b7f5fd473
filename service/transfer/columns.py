"""The columns of an exported file, and the checks that rows from a file have to pass.

Derived columns (digests, positions) are left out: a service makes its own.
"""

from collections.abc import Callable, Iterator, Sequence
from math import isfinite
from typing import Any

import msgspec
import pyarrow as pa
import pyarrow.compute as pc

from service.errors import InvalidInput
from service.events import COLUMNS, MAX_ID_LENGTH, MAX_TYPE_LENGTH, digest, now_ms, tenant_seed
from service.ingest import EARLIEST, LARGEST_LEAD

_TIME = pa.timestamp("ms", "UTC")
FILE = pa.schema(
    [
        pa.field("environment", pa.string(), nullable=False),
        pa.field("event_id", pa.string(), nullable=False),
        pa.field("event_type", pa.string(), nullable=False),
        pa.field("user_id", pa.string(), nullable=False),
        pa.field("session_id", pa.string(), nullable=False),
        pa.field("source", pa.string(), nullable=False),
        pa.field("timestamp", _TIME, nullable=False),
        pa.field("received_at", _TIME, nullable=False),
        pa.field("priority", pa.uint8(), nullable=False),
        pa.field("metadata", pa.string(), nullable=False),
        pa.field("payload", pa.string(), nullable=False),
        pa.field("numbers", pa.map_(pa.string(), pa.float64()), nullable=False),
    ]
)
"""An exported file: one row an event, in the order in which they were stored."""

_CONTROL = r"[\x00-\x1f\x7f-\x{9f}]"
_LENGTHS = {
    "event_type": (1, MAX_TYPE_LENGTH),
    "event_id": (1, MAX_ID_LENGTH),
    "user_id": (1, MAX_ID_LENGTH),
    "session_id": (1, MAX_ID_LENGTH),
    "source": (0, MAX_ID_LENGTH),
}
_decode_object = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode


def as_file(stored: pa.Table) -> pa.Table:
    """Stored rows as `FILE`."""
    return pa.table(
        [
            stored["tenant" if n == "environment" else n].cast(FILE.field(n).type)
            for n in FILE.names
        ],
        schema=FILE,
    )


def as_read(rows: pa.Table) -> pa.Table:
    """Rows with the right columns as `FILE`, however another program has written them."""
    nullable = pa.schema([field.with_nullable(True) for field in FILE])
    return rows.select(FILE.names).cast(nullable, safe=False)


def as_events(rows: pa.Table, environment: str) -> pa.RecordBatch:
    """Rows of one environment as a batch carries them, with the digests of that environment."""
    seed = tenant_seed(environment)

    def column(name: str) -> pa.Array:
        if name.endswith("_key"):
            ids = rows[f"{name.removesuffix('_key')}_id"].to_pylist()
            return pa.array([digest(text, seed) for text in ids], pa.uint64())
        return rows[name].combine_chunks().cast(COLUMNS.field(name).type)

    return pa.RecordBatch.from_arrays([column(name) for name in COLUMNS.names], schema=COLUMNS)


def check_columns(schema: pa.Schema) -> None:
    """Raise InvalidInput, with every column that is not as in `FILE`, if there is one."""
    wrong = list(_wrong_columns(schema))
    if wrong:
        raise InvalidInput(
            f"wrong columns: {'; '.join(wrong)}. docs/moving.md lists the columns of such a file"
        )


def _wrong_columns(schema: pa.Schema) -> Iterator[str]:
    for field in FILE:
        found = schema.get_all_field_indices(field.name)
        if len(found) != 1:
            yield f"{field.name} is {'there twice' if found else 'missing'}"
        elif (kind := schema.field(found[0]).type) != field.type and not _widens(kind, field.type):
            yield f"{field.name} is {kind}, not {field.type}"
    for name in schema.names:
        if name not in FILE.names:
            yield f"{name} is unknown"


def _widens(found: pa.DataType, wanted: pa.DataType) -> bool:
    """Other programs write the same texts and times in a few other ways."""
    if wanted == pa.string():
        return bool(pa.types.is_large_string(found))
    times = pa.types.is_timestamp(wanted) and pa.types.is_timestamp(found)
    return bool(times and found.tz == wanted.tz)


def check_rows(rows: pa.Table, first: int, largest_field: int) -> None:
    """Raise InvalidInput for the first row that no door of the service would have taken.

    `first` is the number of the first row, for the message.
    """
    for name, allowed, good_of in _checks(largest_field):
        good = good_of(rows[name]).combine_chunks()
        if not pc.all(good, skip_nulls=False).as_py():
            number = first + pc.index(pc.fill_null(good, fill_value=False), value=False).as_py()
            raise InvalidInput(f"row {number}: `{name}` must {allowed}", name)


Check = tuple[str, str, Callable[[pa.ChunkedArray], Any]]


def _checks(largest_field: int) -> Sequence[Check]:
    latest = now_ms() + LARGEST_LEAD
    return [
        *[(name, "be there", lambda column: column.is_valid()) for name in FILE.names],
        *[
            (name, f"have {least} to {most} characters", _between_lengths(least, most))
            for name, (least, most) in _LENGTHS.items()
        ],
        *[(name, "hold no control characters", _is_printable) for name in _LENGTHS],
        ("timestamp", "lie between the year 1 and 24 hours from now", _between(EARLIEST, latest)),
        ("received_at", "lie between 1970 and 24 hours from now", _between(0, latest)),
        (
            "priority",
            "be 1 to 10",
            lambda column: pc.and_(_at_least(column, 1), _at_most(column, 10)),
        ),
        *[
            (
                name,
                f"be a JSON object of at most {largest_field} bytes",
                _holds_object(largest_field),
            )
            for name in ("metadata", "payload")
        ],
        ("numbers", "have one finite number under each of its names", _holds_numbers),
    ]


def _at_least(column: Any, least: int) -> Any:
    return pc.greater_equal(column, least)


def _at_most(column: Any, most: int) -> Any:
    return pc.less_equal(column, most)


def _between(least: int, most: int) -> Callable[[pa.ChunkedArray], Any]:
    def good(column: pa.ChunkedArray) -> Any:
        moments = column.cast(pa.int64())
        return pc.and_(_at_least(moments, least), _at_most(moments, most))

    return good


def _between_lengths(least: int, most: int) -> Callable[[pa.ChunkedArray], Any]:
    def good(column: pa.ChunkedArray) -> Any:
        lengths = pc.utf8_length(column)
        return pc.and_(_at_least(lengths, least), _at_most(lengths, most))

    return good


def _is_printable(column: pa.ChunkedArray) -> Any:
    return pc.invert(pc.match_substring_regex(column, _CONTROL))


def _holds_object(largest: int) -> Callable[[pa.ChunkedArray], Any]:
    return lambda column: pa.chunked_array(
        [pa.array([_is_object(text, largest) for text in column.to_pylist()], pa.bool_())]
    )


def _is_object(text: str, largest: int) -> bool:
    if text == "{}":
        return True
    try:
        _decode_object(text)
    except (msgspec.DecodeError, UnicodeEncodeError, RecursionError):
        return False
    return len(text.encode()) <= largest


def _holds_numbers(column: pa.ChunkedArray) -> Any:
    good = [_are_numbers(entries) for entries in column.to_pylist()]
    return pa.chunked_array([pa.array(good, pa.bool_())])


def _are_numbers(entries: Sequence[tuple[str | None, float | None]]) -> bool:
    names = {name for name, value in entries if value is not None and isfinite(value)}
    return len(names - {None}) == len(entries)
