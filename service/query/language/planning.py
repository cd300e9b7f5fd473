"""From a question to the statements that answer it.

The statements are made of pieces (`queries/pieces/`): this module chooses which, by names that
stand here, and puts what callers wrote into values. It knows no engine and asks nobody.

Counts by time and type come from the minutes that are rolled up, as far as a range has whole ones;
everything else comes from the rows.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from zoneinfo import ZoneInfo

from service.query.buckets import bucket_starts
from service.query.catalog import MINUTE
from service.query.language.axis import bucket
from service.query.language.conditions import (
    EVERYTHING,
    Terms,
    column,
    fields_of,
    in_numbers,
    named,
)
from service.query.language.fields import Column, Field, Path
from service.query.language.grouping import columns_of, in_place, names_of
from service.query.language.metrics import Metric
from service.query.language.question import Question
from service.query.parameters import Range
from service.query.planner import Source, cover
from service.storage.protocol import Statement

_EVENT_TYPE = Column("event_type")


@dataclass(frozen=True, slots=True)
class Plan:
    """The statements of a question by what they are for, and how to read what they answer."""

    statements: Mapping[str, Statement]
    """`rows`, `totals`, `other`, and those of the other range as `compare.rows` and so on. The rows
    are of the page's groups and of the one after them, in order or each with its place."""
    starts: Sequence[int]
    """Where the buckets of the range begin."""
    compare_starts: Sequence[int]
    source: Source


@dataclass(frozen=True, slots=True)
class _Facts:
    """The facts of a range: the piece that they come from, and where its buckets begin."""

    statement: Statement
    starts: Sequence[int]
    source: Source


def plan_question(tenant: str, question: Question) -> Plan:
    """The plan of a question."""
    shared = {"tenant": tenant}
    facts = _facts(question, question.range)
    page = _page(question, facts)
    asked = _of_range(question, facts, page)
    if question.groups:
        one_more = {"limit": question.limit + 1, "offset": question.offset}
        page_of_rows = replace(page, values=one_more)
        asked["rows"] = (
            _series(question, facts, page_of_rows) if question.interval else page_of_rows
        )
    others = _facts(question, question.compare) if question.compare else None
    if others:
        compared = _of_range(question, others, page)
        asked |= {f"compare.{name}": statement for name, statement in compared.items()}
    return Plan(
        {name: _with(statement, shared) for name, statement in asked.items()},
        facts.starts,
        others.starts if others else (),
        facts.source if others is None or others.source == facts.source else "mixed",
    )


def _with(statement: Statement, values: Mapping[str, object]) -> Statement:
    return replace(statement, values={**values, **statement.values})


def _of_range(question: Question, facts: _Facts, page: Statement) -> dict[str, Statement]:
    """The statements over the facts of one range, about the groups of the page."""
    keys, time = names_of(question.groups), [named("bucket")] if question.interval else []
    place = {"limit": question.limit, "offset": question.offset}
    inside = {"keys": keys, "page": [page]}
    on_page = Statement("frames.on_page", place, inside) if keys else EVERYTHING
    asked = {"rows": _grouped(question, facts, [*keys, *time], on_page)}
    if question.totals:
        asked["totals"] = _grouped(question, facts, [], EVERYTHING)
    if question.other:
        off_page = Statement("frames.off_page", place, inside)
        asked["other"] = _grouped(question, facts, time, off_page)
    return asked


def _series(question: Question, facts: _Facts, page: Statement) -> Statement:
    """The rows of the page's groups by time, from facts that are read once."""
    keys = names_of(question.groups)
    return Statement(
        "frames.series",
        parts={
            "keys": [*keys, named("bucket")],
            "groups": keys,
            "metrics": _metrics(question, facts),
            "facts": [facts.statement],
            "page": [replace(page, name="frames.page_of_facts")],
            "order": _order(question),
        },
    )


def _grouped(
    question: Question, facts: _Facts, keys: Sequence[Statement], which: Statement
) -> Statement:
    parts = {"metrics": _metrics(question, facts), "facts": [facts.statement], "which": [which]}
    if not keys:
        return Statement("frames.whole", parts=parts)
    return Statement("frames.grouped", parts={**parts, "keys": keys})


def _page(question: Question, facts: _Facts) -> Statement:
    return Statement(
        "frames.page",
        parts={
            "keys": names_of(question.groups),
            "metrics": _metrics(question, facts),
            "facts": [facts.statement],
            "order": _order(question),
        },
    )


def _order(question: Question) -> list[Statement]:
    """The order that is asked for; equal ones by all of their values."""
    found = []
    for order in question.order:
        direction = "frames.down" if order.down else "frames.up"
        by = (
            [named(f"metric{order.number}")]
            if order.kind == "metric"
            else in_place(order.number, question.groups[order.number])
        )
        found += [Statement(direction, parts={"by": [one]}) for one in by]
    rest = [by for n, group in enumerate(question.groups) for by in in_place(n, group)]
    return [*found, *(Statement("frames.up", parts={"by": [one]}) for one in rest)]


def _metrics(question: Question, facts: _Facts) -> list[Statement]:
    rolled = facts.source != "raw"
    fields = _numbers(question)
    return [
        column(f"metric{n}", _metric(metric, fields, rolled))
        for n, metric in enumerate(question.metrics)
    ]


def _metric(metric: Metric, fields: Sequence[Field], rolled: bool) -> Statement:
    if metric.of is not None:
        of = [named(f"number{fields.index(metric.of)}")]
        return Statement(f"metrics.{metric.kind}", {"level": metric.level}, {"number": of})
    if metric.kind in {"events", "rate"}:
        return Statement("metrics.events_rolled" if rolled else "metrics.events")
    return Statement(f"metrics.{metric.kind}")


def _numbers(question: Question) -> list[Field]:
    """The fields that metrics are of, each once."""
    return list(dict.fromkeys(metric.of for metric in question.metrics if metric.of is not None))


def _facts(question: Question, time: Range) -> _Facts:
    zone = ZoneInfo(question.zone)
    starts = (
        bucket_starts(time.start, time.end, question.interval, zone) if question.interval else ()
    )
    terms = Terms(_paths(question))
    parts = {
        "columns": _columns(question, terms, starts),
        "filters": terms.conditions(question.filters),
        "jsons": terms.jsons(),
    }
    edges = {"start": time.start, "end": time.end}
    if _of_minutes(question) and all(start % MINUTE == 0 for start in starts):
        minutes = cover(time, MINUTE, open_end=False)
        values = {**edges, **minutes.values()}
        return _Facts(Statement("facts.minutes", values, parts), starts, minutes.source)
    return _Facts(Statement(terms.facts, edges, parts), starts, "raw")


def _of_minutes(question: Question) -> bool:
    """Whether minutes by type have all that is asked for."""
    return (
        all(metric.kind in {"events", "rate"} for metric in question.metrics)
        and all(group == _EVENT_TYPE for group in question.groups)
        and all(field == _EVENT_TYPE for one in question.filters for field in fields_of(one))
    )


def _paths(question: Question) -> list[Path]:
    """The paths into documents that have to be followed, each once."""
    numbers = [field for field in _numbers(question) if not in_numbers(field)]
    filtered = [field for found in question.filters for field in fields_of(found)]
    used = [*question.groups, *numbers, *filtered]
    return list(dict.fromkeys(field for field in used if isinstance(field, Path)))


def _columns(question: Question, terms: Terms, starts: Sequence[int]) -> list[Statement]:
    """What the facts have to have for the question's keys and metrics."""
    columns = [column("bucket", bucket(starts, question.interval))] if starts else []
    columns += columns_of(question.groups, terms)
    columns += [column(f"number{n}", terms.number(of)) for n, of in enumerate(_numbers(question))]
    kinds = {metric.kind for metric in question.metrics}
    if kinds & {"users", "events_per_user"}:
        columns.append(Statement("fields.user_key"))
    if "sessions" in kinds:
        columns.append(Statement("fields.session_key"))
    return columns or [Statement("facts.one")]
