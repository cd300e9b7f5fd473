"""What all questions about journeys share: how they are read, and the events that they are about.

Events that name no user belong to no journey.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import msgspec
import pyarrow as pa

from service.errors import InvalidInput
from service.query.journeys.words import Journey, Step
from service.query.language import words
from service.query.language.conditions import Terms, fields_of
from service.query.language.fields import Field, Path
from service.query.language.filters import check_filters
from service.query.language.spans import duration, range_of
from service.query.language.words import Filter
from service.query.parameters import LATEST, Range
from service.storage.protocol import Statement

Tables = Mapping[str, pa.Table]
"""What the store answered, by the names of the statements."""

SOMEBODY = Statement("journeys.somebody")
"""Events that name a user."""
_encode = msgspec.json.Encoder().encode


class Question(Protocol):
    """A question that was read and checked."""

    @property
    def kind(self) -> str:
        """What it is called in telemetry and among kept answers."""
        ...

    def canonical(self) -> tuple[object, ...]:
        """What the answer depends on, besides the events."""
        ...

    def statements(self, tenant: str) -> Mapping[str, Statement]:
        """What to ask the store, by what it is for."""
        ...

    def document(self, tables: Tables) -> bytes:
        """The answer as JSON."""
        ...


@dataclass(frozen=True, slots=True)
class Frame:
    """Which events a question is about."""

    text: bytes
    """Its document as JSON, in the order of the grammar."""
    filters: tuple[Filter, ...]
    range: Range

    def canonical(self) -> tuple[object, ...]:
        """What is the same for all who ask the same."""
        return self.text.decode(), *self.range.canonical()


def frame_of(asked: Journey, now_ms: int) -> Frame:
    """The frame of a document; `now_ms` is where ranges like `24h` end. Raises InvalidInput."""
    check_filters(asked.filters)
    time = range_of(asked.range, "range", now_ms)
    return Frame(_encode(asked), asked.filters, time)


def filters_of(step: Step, place: str) -> tuple[Filter, ...]:
    """What a step asks of an event. Raises InvalidInput, which names the place in the document."""
    if step.event is None and not step.filters:
        raise InvalidInput(f"`{place}` needs an `event`, or `filters`, or both", place)
    check_filters(step.filters, f"{place}.filters")
    kind = () if step.event is None else (words.Is("eventType", step.event),)
    return (*kind, *step.filters)


def length_named(text: str, place: str) -> int:
    """How long `30m` and the like are, in ms. Raises InvalidInput."""
    if (found := duration(text)) is None:
        raise InvalidInput(f"`{place}` must be a length like 30m, 24h or 7d (s, m, h, d, w)", place)
    return found


def terms_for(fields: Iterable[Field], *filters: Iterable[Filter]) -> Terms:
    """The terms for rows that have to have these fields, and those that the filters are about."""
    filtered = (field for some in filters for one in some for field in fields_of(one))
    paths = [field for field in (*fields, *filtered) if isinstance(field, Path)]
    return Terms(list(dict.fromkeys(paths)))


def facts(
    terms: Terms, edges: tuple[int, int], columns: Sequence[Statement], which: Sequence[Statement]
) -> Statement:
    """The events between two moments that meet the conditions, with these columns."""
    values = {"start": edges[0], "end": min(edges[1], LATEST)}
    parts = {"columns": columns, "filters": which, "jsons": terms.jsons()}
    return Statement(terms.facts, values, parts)


def all_of(conditions: Sequence[Statement]) -> Statement:
    """All of these conditions, as one."""
    return Statement("filters.all", parts={"filters": conditions})


def any_of(conditions: Sequence[Statement]) -> Statement:
    """One of these conditions, as one."""
    return Statement("filters.any", parts={"filters": conditions})


def with_values(
    statements: Mapping[str, Statement], values: Mapping[str, object]
) -> dict[str, Statement]:
    """The same statements, these values beside their own."""
    return {
        name: Statement(one.name, {**values, **one.values}, one.parts)
        for name, one in statements.items()
    }
