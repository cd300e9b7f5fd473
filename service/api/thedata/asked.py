"""What this face's questions say, as queries of the query language.

Their parameters have this face's names, and so have the mistakes that are told.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import msgspec

from service.errors import InvalidInput
from service.query.buckets import shown
from service.query.catalog import DAY, SECOND
from service.query.language.fields import meant
from service.query.language.question import TIME, Question
from service.query.language.reading import question_of
from service.query.language.spans import duration
from service.query.language.words import MOST_LIMIT, USUAL_LIMIT, Filter, In, Is, Part, Query, Span
from service.query.parameters import moment_in

COUNTS = {"count": "events", "unique_users": "users", "unique_sessions": "sessions"}
"""What events can be aggregated to: the name here, and that of the metric."""
OF_NUMBERS = ("avg", "sum", "min", "max", "count", "p50", "p90", "p95", "p99")
GROUPS = {"event_type": "eventType", "source": "source", "user_id": "userId"}

_SHARED = ("start_time", "end_time", "event_type", "source", "aggregation")
_SHAPE = ("group_by", "interval", "tz", "limit")
EVENTS = (*_SHARED, *_SHAPE)
METRICS = (*_SHARED, "metric_name", "labels", *_SHAPE)
REALTIME = ("window", "metrics")
"""The parameters that each question takes."""

LIVE = {
    "active_users": "users",
    "active_sessions": "sessions",
    "events": "events",
    "events_per_second": "rate",
}
PAGE_VIEWS = "page_views"
_SHORTEST, _LONGEST = 10 * SECOND, DAY
_MOST_LIVE = 20
_AGGREGATE = re.compile(rf"({'|'.join(OF_NUMBERS)})\((.+)\)")
_PLACES = (
    ("metrics", "metric_name"),
    ("dimensions", "group_by"),
    ("range.start", "start_time"),
    ("range.end", "end_time"),
    ("range", "start_time"),
    ("filters", "labels"),
)
"""Where a mistake is in the query, and where it is in what the caller wrote."""


@dataclass(frozen=True, slots=True)
class Asked:
    """A question of events or metrics: the name of its one metric, and what it is grouped by."""

    question: Question
    metric: str
    aggregation: str
    count: str
    """The metric that counts what was aggregated."""
    group: str | None
    dimension: str | None
    event_type: str | None


@dataclass(frozen=True, slots=True)
class Live:
    """A question of a window that ends now: the queries, and what of them is called how."""

    window: str
    now: int
    whole: Question | None
    """The metrics of all events."""
    by_type: Question | None
    """How many events of each type that was named."""
    names: Mapping[str, str]
    """What the caller named, and its metric or, behind a `:`, its event type."""


def asked_events(raw: Mapping[str, str], now_ms: int) -> Asked:
    """The question of `/v1/analytics/events`. Raises InvalidInput."""
    _refuse_unknown(raw, EVENTS)
    aggregation = _choice(raw, "aggregation", tuple(COUNTS), "count")
    return _asked(raw, now_ms, aggregation, COUNTS[aggregation], "events", [])


def asked_metrics(raw: Mapping[str, str], now_ms: int) -> Asked:
    """The question of `/v1/analytics/metrics`. Raises InvalidInput."""
    _refuse_unknown(raw, METRICS)
    if not raw.get("metric_name"):
        raise InvalidInput("`metric_name` is missing: a number of the properties", "metric_name")
    aggregation = _choice(raw, "aggregation", OF_NUMBERS, "avg")
    of = _path("payload", raw["metric_name"])
    labels = [Is(_path("payload", name), value) for name, value in _labels(raw).items()]
    return _asked(raw, now_ms, aggregation, f"{aggregation}({of})", f"count({of})", labels)


def asked_live(raw: Mapping[str, str], now_ms: int) -> Live:
    """The question of `/v1/analytics/realtime`. Raises InvalidInput.

    Windows end with the second that has begun, so that all who ask within it ask the same.
    """
    _refuse_unknown(raw, REALTIME)
    window = raw.get("window", "5m")
    length = duration(window)
    if length is None or not _SHORTEST <= length <= _LONGEST:
        raise InvalidInput("`window` must be from 10s to 24h, like 1m, 5m, 15m or 1h", "window")
    texts = raw.get("metrics", "active_users,events").split(",")
    if len(texts) > _MOST_LIVE:
        raise InvalidInput(f"`metrics` may name at most {_MOST_LIVE}", "metrics")
    names = {text.strip(): _live(text.strip()) for text in texts}
    end = (now_ms // SECOND + 1) * SECOND
    asking = _Window(end - length, end)
    whole = tuple(dict.fromkeys(m for m in names.values() if not m.startswith(":")))
    types = tuple(dict.fromkeys(m[1:] for m in names.values() if m.startswith(":")))
    return Live(
        window,
        now_ms,
        asking.query(whole, (), ()) if whole else None,
        asking.query(("events",), ("eventType",), types) if types else None,
        names,
    )


@dataclass(frozen=True, slots=True)
class _Window:
    start: int
    end: int

    def query(
        self, metrics: tuple[str, ...], dimensions: tuple[str, ...], types: Sequence[str]
    ) -> Question:
        query = Query(
            metrics=metrics,
            dimensions=dimensions,
            filters=(In("eventType", tuple(types)),) if types else (),
            range=Span(shown(self.start), shown(self.end)),
        )
        return _question(query, self.end, {"metrics": "metrics"})


def _asked(
    raw: Mapping[str, str],
    now_ms: int,
    aggregation: str,
    metric: str,
    count: str,
    filters: Sequence[Filter],
) -> Asked:
    group = raw.get("group_by")
    dimension = None if group is None else _dimension(group)
    query = Query(
        metrics=tuple(dict.fromkeys([metric, count])),
        dimensions=(TIME,) if dimension is None else (TIME, dimension),
        filters=(
            *filters,
            *_equal(raw, "event_type", "eventType"),
            *_equal(raw, "source", "source"),
        ),
        range=Span(_given(raw, "start_time"), _given(raw, "end_time")),
        interval=raw.get("interval"),
        tz=raw.get("tz", "UTC"),
        limit=_limit(raw),
        totals=True,
    )
    question = _question(query, now_ms, {})
    return Asked(question, metric, aggregation, count, group, dimension, raw.get("event_type"))


def _question(query: Query, now_ms: int, named: Mapping[str, str]) -> Question:
    try:
        return question_of(query, now_ms)
    except InvalidInput as error:
        raise _in_our_words(error, named) from None


def _in_our_words(error: InvalidInput, named: Mapping[str, str]) -> InvalidInput:
    place = error.field or ""
    for theirs, ours in (*named.items(), *_PLACES):
        if place.startswith(theirs):
            return InvalidInput(str(error).replace(f"`{place}`", f"`{ours}`"), ours)
    return error


def _live(name: str) -> str:
    if name in LIVE:
        return LIVE[name]
    if name == PAGE_VIEWS:
        return ":page_view"
    if found := _AGGREGATE.fullmatch(name):
        return f"{found[1]}({_path('payload', found[2])})"
    if not name or len(name) > 100:
        raise InvalidInput(
            f"`metrics` must name, with commas between, {', '.join(LIVE)}, {PAGE_VIEWS}, "
            "event types, or numbers like avg(price)",
            "metrics",
        )
    return f":{name}"


def _dimension(group: str) -> str:
    if group in GROUPS:
        return GROUPS[group]
    document, _, path = group.partition(".")
    return f"payload.{path}" if document == "properties" else group


def _path(document: str, name: str) -> str:
    """A field at the top of a document, whatever characters its name has."""
    return f"{document}.{msgspec.json.encode(name).decode()}"


def _labels(raw: Mapping[str, str]) -> Mapping[str, str | float | bool]:
    try:
        return msgspec.json.decode(raw.get("labels", "{}"), type=dict[str, Part | float | bool])
    except (msgspec.MsgspecError, RecursionError):
        raise InvalidInput(
            '`labels` must be a JSON object of texts, numbers and truth values, like {"a":"b"}',
            "labels",
        ) from None


def _equal(raw: Mapping[str, str], name: str, field: str) -> list[Filter]:
    if name not in raw:
        return []
    if not raw[name]:
        raise InvalidInput(f"`{name}` must have at least one character", name)
    return [Is(field, raw[name])]


def _given(raw: Mapping[str, str], name: str) -> str:
    if name not in raw:
        raise InvalidInput(f"`{name}` is missing: a time in ISO 8601", name)
    moment_in(raw[name], name)
    return raw[name]


def _limit(raw: Mapping[str, str]) -> int:
    text = raw.get("limit", str(USUAL_LIMIT))
    if not re.fullmatch(r"[0-9]{1,6}", text) or not 1 <= int(text) <= MOST_LIMIT:
        raise InvalidInput(f"`limit` must be a whole number from 1 to {MOST_LIMIT}", "limit")
    return int(text)


def _choice(raw: Mapping[str, str], name: str, allowed: Sequence[str], usual: str) -> str:
    chosen = raw.get(name, usual)
    if chosen not in allowed:
        near = meant(chosen, allowed)
        raise InvalidInput(f"`{name}` must be one of {', '.join(allowed)}{near}", name)
    return chosen


def _refuse_unknown(raw: Mapping[str, str], known: Sequence[str]) -> None:
    for name in raw:
        if name not in known:
            near = meant(name, known)
            there = ", ".join(known)
            raise InvalidInput(f"`{name}` is not a parameter here{near}; there are {there}", name)
