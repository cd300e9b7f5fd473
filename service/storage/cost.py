"""What an answer cost the engine: it travels with the table that is the answer."""

from collections.abc import Iterable
from dataclasses import dataclass

import pyarrow as pa

_ROWS, _BYTES = b"headrace.rows_read", b"headrace.bytes_read"


@dataclass(frozen=True, slots=True)
class Cost:
    """Rows and bytes that an engine read; None for what it does not tell."""

    rows: int | None
    bytes: int | None


NOTHING = Cost(0, 0)
UNKNOWN = Cost(None, None)


def with_cost(answer: pa.Table, cost: Cost) -> pa.Table:
    """The same answer; `cost_of` finds what it cost."""
    told = {_ROWS: cost.rows, _BYTES: cost.bytes}
    known = {name: b"%d" % number for name, number in told.items() if number is not None}
    return answer.replace_schema_metadata({**(answer.schema.metadata or {}), **known})


def cost_of(answers: Iterable[pa.Table]) -> Cost:
    """What answers cost together; of one that does not tell, the whole is unknown."""
    notes = [answer.schema.metadata or {} for answer in answers]
    return Cost(_sum(note.get(_ROWS) for note in notes), _sum(note.get(_BYTES) for note in notes))


def _sum(numbers: Iterable[bytes | None]) -> int | None:
    total = 0
    for number in numbers:
        if number is None:
            return None
        total += int(number)
    return total
