"""From the bytes of a query to a question.

Nothing is guessed: what is wrong is InvalidInput, which names its place in the document, like
`filters[0].op`, says what is allowed there, and what may have been meant.
"""

import re
from collections.abc import Iterable, Sequence

import msgspec

from service.errors import InvalidInput
from service.query import catalog
from service.query.language import words
from service.query.language.fields import Column, Field, Number, field_named, meant, shown
from service.query.language.metrics import Metric, metric_named
from service.query.language.question import TIME, Order, Question, opened
from service.query.language.words import Filter, Query, Span
from service.query.parameters import (
    EARLIEST,
    Range,
    fitting_interval,
    interval_named,
    moment_in,
    zone_named,
)

MOST_ROWS = 20_000
"""Rows that one answer may have: groups times buckets."""

PREVIOUS = "previous"
"""What a range is compared with: the time of equal length before it."""

_UNITS = {
    "s": catalog.SECOND,
    "m": catalog.MINUTE,
    "h": catalog.HOUR,
    "d": catalog.DAY,
    "w": catalog.WEEK,
}
_LAST = re.compile(r"([1-9][0-9]{0,3})([smhdw])")
_PLACE = re.compile(r" - at `\$\.?(?P<place>[^`]*)`$")
_WRONG_VALUE = re.compile(r"Invalid (?:enum )?value '(?P<value>.*)'")
_UNKNOWN = re.compile(r"unknown field `(?P<field>.*)`")
_MISSING = re.compile(r"missing required field `(?P<field>.*)`")

_decode = msgspec.json.Decoder(Query).decode
_encode = msgspec.json.Encoder().encode


def read_question(body: bytes, now_ms: int) -> Question:
    """The question of a query; `now_ms` is where ranges like `24h` end. Raises InvalidInput."""
    return question_of(_query(body), now_ms)


def question_of(query: Query, now_ms: int) -> Question:
    """The question of a query whose form is right. Raises InvalidInput for what it says."""
    metrics = _metrics(query.metrics)
    groups = _groups(query.dimensions)
    _check_filters(query.filters)
    document = _encode(msgspec.structs.replace(query, cursor=None))
    time, offset = _range(query.range, "range", now_ms), 0
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
        compare=_compared(query.compare, time, now_ms),
        interval=_interval(query, time, zone),
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


def _query(body: bytes) -> Query:
    try:
        return _decode(body)
    except msgspec.ValidationError as error:
        raise _wrong(str(error)) from None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise InvalidInput("the body is not valid JSON") from None


def _wrong(text: str) -> InvalidInput:
    """What the decoder says, with the place first and what is allowed there."""
    found = _PLACE.search(text)
    place = found["place"] if found else ""
    about = _PLACE.sub("", text)
    if unknown := _UNKNOWN.search(about):
        allowed = _fields_at(place)
        field, near = unknown["field"], meant(unknown["field"], allowed)
        there = f"; there are {', '.join(allowed)}" if allowed else ""
        return InvalidInput(
            f"`{_joined(place, field)}`: there is no such field{near}{there}", _joined(place, field)
        )
    if missing := _MISSING.search(about):
        return InvalidInput(
            f"`{_joined(place, missing['field'])}` is missing", _joined(place, missing["field"])
        )
    if place.endswith("op") and (value := _WRONG_VALUE.search(about)):
        operators = words.operators()
        about = (
            f"there is no filter {shown(value['value'])}{meant(value['value'], operators)}; "
            f"there are {', '.join(operators)}"
        )
    return InvalidInput(f"`{place or 'body'}`: {about}", place or None)


def _joined(place: str, field: str) -> str:
    return f"{place}.{field}" if place else field


def _fields_at(place: str) -> Sequence[str]:
    if place in {"range", "compare"}:
        return Span.__struct_fields__
    return () if place else Query.__struct_fields__


def _metrics(names: Sequence[str]) -> tuple[Metric, ...]:
    _refuse_repeats(names, "metrics")
    return tuple(metric_named(name, f"metrics[{n}]") for n, name in enumerate(names))


def _groups(names: Sequence[str]) -> tuple[Field, ...]:
    _refuse_repeats(names, "dimensions")
    return tuple(_group(name, f"dimensions[{n}]") for n, name in enumerate(names) if name != TIME)


def _group(name: str, place: str) -> Field:
    try:
        return field_named(name, place)
    except InvalidInput as error:
        near = meant(name, [TIME])
        raise InvalidInput(f"{error}; and {TIME}{near}", place) from None


def _refuse_repeats(names: Sequence[str], place: str) -> None:
    for number, name in enumerate(names):
        if name in names[:number]:
            raise InvalidInput(f"`{place}[{number}]`: {shown(name)} is there twice", place)


def _check_filters(filters: Iterable[Filter]) -> None:
    count = sum(_checked(f, f"filters[{n}]", 1) for n, f in enumerate(filters))
    if count > words.MOST_FILTERS:
        raise InvalidInput(f"there may be at most {words.MOST_FILTERS} filters", "filters")


def _checked(found: Filter, place: str, depth: int) -> int:
    """How many filters there are in this one. Raises InvalidInput for what is wrong in it."""
    if depth > words.DEEPEST_FILTERS:
        raise InvalidInput(
            f"`{place}`: filters may be {words.DEEPEST_FILTERS} deep in each other", place
        )
    if isinstance(found, words.And | words.Or):
        parts = enumerate(found.filters)
        return 1 + sum(_checked(f, f"{place}.filters[{n}]", depth + 1) for n, f in parts)
    if isinstance(found, words.Not):
        return 1 + _checked(found.filter, f"{place}.filter", depth + 1)
    _check_kind(found, field_named(found.field, f"{place}.field"), place)
    return 1


def _check_kind(found: words.Leaf, field: Field, place: str) -> None:
    """A column holds values of one kind: another kind in a filter is a mistake, not a miss."""
    if isinstance(found, words.Comparison) and isinstance(field, Column):
        raise InvalidInput(
            f"`{place}`: `{found.field}` is a text; {_op(found)} is of numbers", place
        )
    if isinstance(found, words.Contains | words.StartsWith) and isinstance(field, Number):
        raise InvalidInput(
            f"`{place}`: `{found.field}` is a number; {_op(found)} is of texts", place
        )
    if isinstance(found, words.Is | words.IsNot):
        _check_value(found.value, field, f"{place}.value")
    if isinstance(found, words.In | words.NotIn):
        for number, value in enumerate(found.values):
            _check_value(value, field, f"{place}.values[{number}]")


def _check_value(value: words.Value, field: Field, place: str) -> None:
    if isinstance(field, Column) and not (value is None or (isinstance(value, str) and value)):
        raise InvalidInput(f"`{place}` must be a text of at least one character, or null", place)
    if isinstance(field, Number) and (value is not None and type(value) is not float):
        raise InvalidInput(f"`{place}` must be a number, or null", place)


def _op(found: Filter) -> str:
    return str(type(found).__struct_config__.tag)


def _range(found: str | Span, place: str, now_ms: int) -> Range:
    if isinstance(found, Span):
        time = Range(moment_in(found.start, f"{place}.start"), moment_in(found.end, f"{place}.end"))
        if time.start >= time.end:
            raise InvalidInput(f"`{place}.start` must be before `{place}.end`", f"{place}.start")
        return time
    if (length := duration(found)) is None:
        raise InvalidInput(
            f"`{place}` must be how long it lasts up to now, like 15m, 24h, 7d or 4w "
            '(s, m, h, d, w), or {"start": …, "end": …}',
            place,
        )
    return Range(now_ms - length, now_ms, found)


def duration(text: str) -> int | None:
    """How long `15m` and the like are, in ms; None for another text."""
    found = _LAST.fullmatch(text)
    return int(found[1]) * _UNITS[found[2]] if found else None


def _compared(found: str | Span | None, time: Range, now_ms: int) -> Range | None:
    if found is None:
        return None
    if found == PREVIOUS:
        if (before := 2 * time.start - time.end) < EARLIEST:
            raise InvalidInput("`compare`: there is no time before a range that long", "compare")
        return Range(before, time.start)
    if isinstance(found, str):
        near = meant(found, [PREVIOUS])
        raise InvalidInput(
            f'`compare` must be {PREVIOUS}, or {{"start": …, "end": …}}{near}', "compare"
        )
    return _range(found, "compare", now_ms)


def _interval(query: Query, time: Range, zone: str) -> int:
    if TIME not in query.dimensions:
        if query.interval is not None:
            raise InvalidInput("`interval` needs the dimension `time`", "interval")
        return 0
    if query.interval is None:
        return fitting_interval(time, zone)
    if query.interval not in catalog.INTERVALS:
        near = meant(query.interval, catalog.INTERVALS)
        raise InvalidInput(
            f"`interval` must be one of {', '.join(catalog.INTERVALS)}{near}", "interval"
        )
    return interval_named(query.interval, time)


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
    if not question.interval or not question.groups:
        return
    buckets = -(-(question.range.end - question.range.start) // question.interval) + 1
    if buckets * question.limit > MOST_ROWS:
        raise InvalidInput(
            f"`limit` {question.limit} groups of {buckets} buckets are more than {MOST_ROWS} rows; "
            "choose a longer `interval`, a shorter `range` or a smaller `limit`",
            "limit",
        )
