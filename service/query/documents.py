"""Writes answers down: from the tables that the store gave to the documents that callers read."""

from bisect import bisect_right
from collections import defaultdict
from typing import Any

import msgspec
import pyarrow as pa

from service.query.buckets import shown
from service.query.parameters import MetricsParameters, NumbersParameters
from service.query.planner import Plan


class TimeRange(msgspec.Struct):
    """`start` is in it, `end` is not."""

    start: str
    end: str


class TypeCount(msgspec.Struct, rename="camel"):
    event_type: str
    count: int
    percentage: float


class TopUser(msgspec.Struct, rename="camel"):
    user_id: str
    event_count: int
    last_event_at: str
    event_types: list[str]


class BucketCount(msgspec.Struct):
    timestamp: str
    count: int


class MetricsDocument(msgspec.Struct, rename="camel"):
    """The metrics of a range, as `GET /api/v1/analytics/metrics` documents them."""

    total_events: int
    time_range: TimeRange
    events_by_type: list[TypeCount]
    top_users: list[TopUser]
    events_over_time: list[BucketCount]
    avg_events_per_user: float
    unique_users: int
    unique_sessions: int


class NumbersRow(msgspec.Struct):
    key: str
    count: int
    sum: float
    avg: float
    min: float
    max: float


class NumbersDocument(msgspec.Struct, rename="camel"):
    """Sums over a number of the payload; one row for each `by`, most values first."""

    name: str
    by: str
    time_range: TimeRange
    rows: list[NumbersRow]


def metrics_document(
    parameters: MetricsParameters,
    plan: Plan,
    counts: pa.Table,
    users: pa.Table,
    sessions: pa.Table,
) -> bytes:
    """The metrics document as JSON, from the answers to the statements of `plan`."""
    rows = counts.to_pylist()
    types = {row["event_type"]: row["events"] for row in rows if row["event_type"]}
    slots = {row["slot"]: row["events"] for row in rows if not row["event_type"]}
    total = sum(types.values())
    unique_users = users["users"][0].as_py() if users.num_rows else 0
    document = MetricsDocument(
        total_events=total,
        time_range=TimeRange(shown(parameters.range.start), shown(parameters.range.end)),
        events_by_type=_by_type(types, total),
        top_users=_top_users(users),
        events_over_time=_over_time(slots, plan),
        avg_events_per_user=round(total / unique_users, 2) if unique_users else 0.0,
        unique_users=unique_users,
        unique_sessions=sessions["sessions"][0].as_py(),
    )
    return msgspec.json.encode(document)


def numbers_document(parameters: NumbersParameters, table: pa.Table) -> bytes:
    """The sums over a number as JSON."""
    document = NumbersDocument(
        name=parameters.name,
        by=parameters.by,
        time_range=TimeRange(shown(parameters.range.start), shown(parameters.range.end)),
        rows=[_numbers_row(row) for row in table.to_pylist()],
    )
    return msgspec.json.encode(document)


def _numbers_row(row: dict[str, Any]) -> NumbersRow:
    total, values = _certain(row["total"]), row["values"]
    return NumbersRow(
        row["key"], values, total, _certain(total / values), row["least"], row["most"]
    )


def _certain(number: float) -> float:
    """A whole number as it is, another one with the 15 digits that do not depend on the order in
    which an engine adds."""
    return number if number.is_integer() else float(f"{number:.15g}")


def _by_type(types: dict[str, int], total: int) -> list[TypeCount]:
    return [
        TypeCount(name, count, round(100 * count / total, 1)) for name, count in _most_first(types)
    ]


def _top_users(users: pa.Table) -> list[TopUser]:
    counts: dict[str, dict[str, int]] = defaultdict(dict)
    last_at: dict[str, int] = {}
    for row in users.to_pylist():
        user = row["user_id"]
        counts[user][row["event_type"]] = row["of_type"]
        last_at[user] = max(row["last_at"], last_at.get(user, row["last_at"]))
    totals = {user: sum(of_type.values()) for user, of_type in counts.items()}
    return [
        TopUser(user, total, shown(last_at[user]), [t for t, _ in _most_first(counts[user])])
        for user, total in _most_first(totals)
    ]


def _over_time(slots: dict[int, int], plan: Plan) -> list[BucketCount]:
    counts = [0] * len(plan.starts)
    for slot, events in slots.items():
        counts[bisect_right(plan.starts, plan.starts[0] + slot * plan.slot) - 1] += events
    return [BucketCount(shown(s), count) for s, count in zip(plan.starts, counts, strict=True)]


def _most_first(counts: dict[str, int]) -> list[tuple[str, Any]]:
    return sorted(counts.items(), key=lambda item: (-item[1], item[0]))
