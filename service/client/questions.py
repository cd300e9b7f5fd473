"""What can be asked: of the metrics document, and in the query language (docs/api-query.md)."""

from datetime import datetime
from typing import Any, Literal

import msgspec


class Question(msgspec.Struct, kw_only=True, frozen=True, rename="camel", omit_defaults=True):
    """What to ask about: `time_range` (15m, 1h, 24h, 7d), or `start` and `end`; and filters."""

    time_range: str | None = None
    start: datetime | str | None = None
    end: datetime | str | None = None
    interval: str | None = None
    tz: str | None = None
    event_type: str | None = None
    user_id: str | None = None
    limit: int | None = None
    after: str | None = None
    """A receipt: answer only when its events are counted."""


Value = str | int | float | bool | None
Number = int | float | None


class Is(msgspec.Struct, frozen=True):
    """Compares a field, `eventType` or `payload.cart.total`, with a value, as `op` says."""

    field: str
    value: Value
    op: Literal["is", "is_not", "contains", "starts_with", "gt", "gte", "lt", "lte"] = "is"


class In(msgspec.Struct, frozen=True):
    """Whether a field has one of these values, or none of them."""

    field: str
    values: list[Value]
    op: Literal["in", "not_in"] = "in"


class Exists(msgspec.Struct, frozen=True):
    """Whether there is a value."""

    field: str
    op: Literal["exists"] = "exists"


class Group(msgspec.Struct, frozen=True):
    """Whether all of these filters hold, or one of them."""

    filters: "list[Filter]"
    op: Literal["and", "or"] = "or"


class Not(msgspec.Struct, frozen=True):
    """Whether a filter does not hold."""

    filter: "Filter"
    op: Literal["not"] = "not"


Filter = Is | In | Exists | Group | Not


class Span(msgspec.Struct, frozen=True):
    """From `start` up to before `end`."""

    start: datetime | str
    end: datetime | str


class Query(msgspec.Struct, kw_only=True, frozen=True, omit_defaults=True):
    """What to count (`events`, `users`, `avg(payload.price)` …), by what, of which events."""

    metrics: list[str]
    dimensions: list[str] = []
    filters: list[Filter] = []
    range: str | Span = ""
    interval: str | None = None
    tz: str | None = None
    compare: str | Span | None = None
    order: list[str] = []
    limit: int | None = None
    cursor: str | None = None
    totals: bool = False
    other: bool = False


class Row(msgspec.Struct, kw_only=True, frozen=True):
    """One group, or one bucket of it: the values it stands for, and what was counted."""

    dimensions: dict[str, Value]
    metrics: dict[str, Number]
    compare: dict[str, Any] | None = None


class Totals(msgspec.Struct, kw_only=True, frozen=True):
    """What was counted over all groups."""

    metrics: dict[str, Number]
    compare: dict[str, Any] | None = None


class Range(msgspec.Struct, frozen=True):
    """What a range came to when it was answered."""

    start: datetime
    end: datetime


class Rows(msgspec.Struct, kw_only=True, frozen=True, rename="camel"):
    """The answer to a query; `cursor` leads to the next groups."""

    range: Range
    rows: list[Row]
    cursor: str | None = None
    totals: Totals | None = None
    other: list[Row] = []
    compare: Range | None = None
    source: str = ""
    rows_read: int | None = None
    elapsed_ms: float | None = None
    as_of: datetime | None = None
    cached: bool = False
