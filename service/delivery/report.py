"""What became of every row, as CSV and as JSON: row number, key columns, outcome, status, reason.

Made from the journal, whose last word on a row counts. The CSV is safe to open in a spreadsheet.
"""

from array import array
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any, BinaryIO

import msgspec
import pyarrow as pa

from service.delivery.journal import Entry, entries
from service.delivery.outcomes import OUTCOMES, Outcome
from service.formats.choice import CSV
from service.formats.encoders import encoder_of

_AT_ONCE = 10_000
_FIXED = ("row", "line", "outcome", "status", "reason")

_encode = msgspec.json.Encoder().encode


@dataclass(frozen=True, slots=True)
class Reports:
    """The files, and how many rows came to which end."""

    csv: Path
    json: Path
    outcomes: Mapping[Outcome, int]


class Heading(msgspec.Struct, frozen=True):
    """What a report says of the delivery as a whole."""

    file: str
    target: str
    state: str
    """`complete`, or why it is not."""


def write_reports(
    journal: Path, folder: Path, heading: Heading, key_columns: Sequence[str]
) -> Reports:
    """Write `report.csv` and `report.json` anew; each is whole, or as it was before."""
    counts = counted(journal)
    rows, made = folder / "report.csv", folder / "report.json"
    with _replacing(rows) as csv_file, _replacing(made) as json_file:
        _write(journal, csv_file, json_file, _head(heading, counts), key_columns)
    return Reports(rows, made, counts)


def counted(journal: Path) -> Mapping[Outcome, int]:
    """How many rows came to which end."""
    last = bytearray(1)
    for entry in entries(journal):
        if entry.row >= len(last):
            last.extend(bytes(entry.row + 1 - len(last)))
        last[entry.row] = 1 + OUTCOMES.index(entry.outcome)
    return {outcome: last.count(1 + place) for place, outcome in enumerate(OUTCOMES)}


def final(journal: Path) -> Iterator[Entry]:
    """The last entry of each row, in the order in which they were made."""
    times = array("H", [0])
    for entry in entries(journal):
        if entry.row >= len(times):
            times.extend([0] * (entry.row + 1 - len(times)))
        times[entry.row] += 1
    for entry in entries(journal):
        times[entry.row] -= 1
        if not times[entry.row]:
            yield entry


@contextmanager
def _replacing(path: Path) -> Iterator[BinaryIO]:
    """A file beside the one that it becomes when all went well."""
    new = path.with_name(f"{path.name}.new")
    with new.open("wb") as file:
        yield file
    new.replace(path)


def _head(heading: Heading, counts: Mapping[Outcome, int]) -> bytes:
    told = {**msgspec.to_builtins(heading), "rows": sum(counts.values()), "outcomes": counts}
    return _encode(told)[:-1]


def _write(
    journal: Path, sheet: BinaryIO, document: BinaryIO, head: bytes, keys: Sequence[str]
) -> None:
    schema = _schema(keys)
    encoder, found, comma = encoder_of(CSV, schema), final(journal), b""
    sheet.write(encoder.begin())
    document.write(head + b',"results":[')
    while some := list(islice(found, _AT_ONCE)):
        rows = [_row(entry, keys) for entry in some]
        sheet.write(encoder.write(pa.Table.from_pylist(rows, schema=schema)))
        for row in rows:
            document.write(comma + b"\n" + _encode(row))
            comma = b","
    sheet.write(encoder.end())
    document.write(b"]}\n")


def _schema(keys: Sequence[str]) -> pa.Schema:
    kinds = {"row": pa.int64(), "line": pa.int64(), "status": pa.int64()}
    names = ["row", "line", *map(_named, keys), *_FIXED[2:]]
    return pa.schema([(name, kinds.get(name, pa.string())) for name in names])


def _named(key: str) -> str:
    return f"key.{key}" if key in _FIXED else key


def _row(entry: Entry, keys: Sequence[str]) -> dict[str, Any]:
    """The row of a report; without a status where no answer was."""
    values = [*entry.keys, *[None] * (len(keys) - len(entry.keys))]
    return {
        "row": entry.row,
        "line": entry.line,
        **dict(zip(map(_named, keys), values, strict=True)),
        "outcome": entry.outcome,
        "status": entry.status or None,
        "reason": entry.reason or None,
    }
