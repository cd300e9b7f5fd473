"""From the bytes of a query to a question.

Nothing is guessed: what is wrong is InvalidInput, which names its place in the document, like
`filters[0].op`, says what is allowed there, and what may have been meant.
"""

from collections.abc import Sequence

import msgspec

from service.errors import InvalidInput
from service.query.language.decoding import Grammar
from service.query.language.dimensions import (
    check_rows,
    groups_named,
    interval_of,
    refuse_repeats,
)
from service.query.language.fields import Field, meant, shown
from service.query.language.filters import check_filters
from service.query.language.metrics import Metric, metric_named
from service.query.language.question import TIME, Order, Question, opened
from service.query.language.spans import compared_with, range_of
from service.query.language.words import Query
from service.query.parameters import Range, zone_named

_GRAMMAR = Grammar(Query)
_encode = msgspec.json.Encoder().encode


def read_question(body: bytes, now_ms: int) -> Question:
    """The question of a query; `now_ms` is where ranges like `24h` end. Raises InvalidInput."""
    return question_of(_GRAMMAR.read(body), now_ms)


def question_of(query: Query, now_ms: int) -> Question:
    """The question of a query whose form is right. Raises InvalidInput for what it says."""
    metrics = _metrics(query.metrics)
    groups = groups_named(query.dimensions)
    check_filters(query.filters)
    document = _encode(msgspec.structs.replace(query, cursor=None))
    time, offset = range_of(query.range, "range", now_ms), 0
    if query.cursor is not None:
        cursor = opened(query.cursor, document)
        time, offset = Range(cursor.start, cursor.end), cursor.offset
    zone = zone_named(query.tz)
    order, backwards = _order(query, metrics, groups)
    question = Question(
        document=document,
        metrics=metrics,
        dimensions=query.dimensions,
        groups=groups,
        filters=query.filters,
        range=time,
        compare=compared_with(query.compare, time, now_ms),
        interval=interval_of(query.interval, query.dimensions, time, zone),
        zone=zone,
        order=order,
        backwards=backwards,
        limit=query.limit,
        offset=offset,
        totals=query.totals,
        other=query.other,
    )
    _check_size(question)
    return question


def _metrics(names: Sequence[str]) -> tuple[Metric, ...]:
    refuse_repeats(names, "metrics")
    return tuple(metric_named(name, f"metrics[{n}]") for n, name in enumerate(names))


def _order(
    query: Query, metrics: Sequence[Metric], groups: Sequence[Field]
) -> tuple[tuple[Order, ...], bool]:
    """The order of the groups, and whether time goes backwards in each."""
    grouped = [name for name in query.dimensions if name != TIME]
    allowed = [*(metric.name for metric in metrics), *query.dimensions]
    if not groups:
        allowed = [name for name in query.dimensions if name == TIME]
    found, backwards = [], False
    for number, text in enumerate(query.order):
        name, down = text.removeprefix("-"), text.startswith("-")
        if name not in allowed:
            raise _no_order(name, allowed, f"order[{number}]")
        if name == TIME:
            backwards = down
        elif name in grouped:
            found.append(Order("group", grouped.index(name), down))
        else:
            found.append(Order("metric", query.metrics.index(name), down))
    return tuple(found or [Order("metric", 0, True)]), backwards


def _no_order(name: str, allowed: Sequence[str], place: str) -> InvalidInput:
    there = f"there are {', '.join(allowed)}" if allowed else "there is nothing to be put in order"
    return InvalidInput(
        f"`{place}`: {shown(name)} is not among what orders this answer{meant(name, allowed)}; "
        f"{there} (a - before the name turns it round)",
        place,
    )


def _check_size(question: Question) -> None:
    if question.other and not question.groups:
        raise InvalidInput("`other` needs a dimension other than `time`", "other")
    if question.interval and question.groups:
        check_rows(question.range, question.interval, question.limit)
