"""The answer to a query the slow way: one event after the other, in plain Python."""

import re
from collections.abc import Callable, Sequence
from fractions import Fraction
from typing import Any

from msgspec.structs import asdict

from service.events import Event
from tests.queries.naive import _iso, _ms, edges

TEXTS = {
    "eventType": lambda e: e.event_type,
    "userId": lambda e: e.user_id or None,
    "sessionId": lambda e: e.session_id or None,
    "eventId": lambda e: e.event_id,
    "source": lambda e: _source(e) or None,
    "priority": lambda e: e.priority,
}
Found = Sequence[Event]


class Known(Event):
    """An event and what is known of its user."""

    customer: dict[str, Any] | None = None


def beside_customers(events: Found) -> list[Known]:
    """Each event beside the profile of its user that has the latest time, or came last of equal."""
    profiles: dict[str, Event] = {}
    for event in events:
        if event.event_type == "customer.profile" and event.user_id:
            former = profiles.get(event.user_id, event)
            later = _ms(event.timestamp) >= _ms(former.timestamp)
            profiles[event.user_id] = event if later else former
    told = {user: profile.payload or {} for user, profile in profiles.items()}
    return [Known(**asdict(event), customer=told.get(event.user_id)) for event in events]


def naive_query(events: Found, query: dict, time: tuple, compare: tuple | None, ms: int) -> dict:
    """`time` and `compare` are ranges in ms, `ms` the length of a bucket or 0."""
    asked, events = _Asked(query, ms), beside_customers(events)
    found = asked.inside(events, time)
    groups = asked.groups(found)
    limit = query.get("limit", 100)
    page = groups[:limit]
    other = [e for e in found if asked.key(e) not in page]
    before = asked.inside(events, compare) if compare else None
    answer: dict[str, Any] = {
        "rows": [
            row
            for group in page
            for row in asked.rows(
                asked.of(found, group), time, compare, before and asked.of(before, group), group
            )
        ],
        "more": len(groups) > limit,
    }
    if query.get("totals"):
        answer["totals"] = {"metrics": asked.metrics(found, time)}
        if compare:
            answer["totals"]["compare"] = {"metrics": asked.metrics(before, compare)}
    if query.get("other"):
        rest = [e for e in before or [] if asked.key(e) not in page]
        answer["other"] = asked.rows(other, time, compare, rest, None)
    return answer


def _source(event: Event) -> str:
    """What the metadata says, if it is a text."""
    source = (event.metadata or {}).get("source")
    return source if isinstance(source, str) else ""


class _Asked:
    def __init__(self, query: dict, ms: int) -> None:
        self.query, self.ms = query, ms
        self.dimensions = query.get("dimensions", [])
        self.grouped = [name for name in self.dimensions if name != "time"]
        self.orders = [o for o in query.get("order", []) if o.lstrip("-") != "time"]

    def inside(self, events: Found, time: tuple) -> list[Event]:
        start, end = time
        filters = self.query.get("filters", [])
        return [
            e
            for e in events
            if start <= _ms(e.timestamp) < end and all(holds(e, f) for f in filters)
        ]

    def key(self, event: Event) -> tuple:
        return tuple(_typed(value(event, name)) for name in self.grouped)

    def of(self, events: Found, group: tuple) -> list[Event]:
        return [e for e in events if self.key(e) == group]

    def groups(self, found: Found) -> list[tuple]:
        if not self.grouped:
            return [()]
        keys = sorted({self.key(e) for e in found})
        for order in reversed(self.orders or [f"-{self.query['metrics'][0]}"]):
            name, down = order.removeprefix("-"), order.startswith("-")
            if name in self.grouped:
                place = self.grouped.index(name)
                keys.sort(key=lambda k: k[place], reverse=down)
            else:
                of = {k: exact(name, self.of(found, k), 1) for k in keys}
                keys.sort(key=lambda k: of[k] or 0, reverse=down)
                keys.sort(key=lambda k: of[k] is None)
        return keys

    def rows(self, found, time, compare, before, group) -> list[dict]:
        named = dict(zip(self.grouped, (k[1] for k in group or ()), strict=False))
        if not self.ms:
            row = {"dimensions": named, "metrics": self.metrics(found, time)}
            if compare:
                row["compare"] = {"metrics": self.metrics(before or [], compare)}
            return [row]
        now, then = self.buckets(time), self.buckets(compare) if compare else []
        rows = []
        for n, (start, end) in enumerate(now):
            shown = {"time": _iso(start), **named}
            row = {
                "dimensions": {d: shown[d] for d in self.dimensions if d in shown},
                "metrics": self.metrics(_within(found, start, end), (max(start, time[0]), end)),
            }
            if n < len(then):
                first, last = then[n]
                of = self.metrics(
                    _within(before or [], first, last), (max(first, compare[0]), last)
                )
                row["compare"] = {"metrics": of, "time": _iso(first)}
            rows.append(row)
        return rows[::-1] if "-time" in self.query.get("order", []) else rows

    def buckets(self, time: tuple) -> list[tuple[int, int]]:
        starts = list(edges(*time, self.ms, self.query.get("tz", "UTC")))
        return list(zip(starts, [*starts[1:], time[1]], strict=True))

    def metrics(self, found: Found, time: tuple) -> dict:
        seconds = Fraction(time[1] - time[0], 1000)
        return {name: _digits(exact(name, found, seconds)) for name in self.query["metrics"]}


def exact(name: str, found: Found, seconds: Fraction | int) -> Fraction | int | None:
    users = len({e.user_id for e in found} - {""})
    match name:
        case "events":
            return len(found)
        case "users":
            return users
        case "sessions":
            return len({e.session_id for e in found} - {""})
        case "events_per_user":
            return Fraction(len(found), users) if users else None
        case "rate":
            return len(found) / Fraction(seconds)
    kind, field = re.fullmatch(r"(\w+)\((.+)\)", name).groups()
    values = sorted(Fraction(v) for e in found if (v := number(e, field)) is not None)
    if kind in {"count", "sum"}:
        return len(values) if kind == "count" else sum(values)
    return _of_numbers(kind, values) if values else None


def _of_numbers(kind: str, values: list[Fraction]) -> Fraction:
    simple: dict[str, Callable] = {"min": min, "max": max, "avg": lambda v: sum(v) / len(v)}
    if kind in simple:
        return simple[kind](values)
    place = Fraction(int(kind[1:]), 100) * (len(values) - 1)
    low = values[int(place)]
    high = values[min(int(place) + 1, len(values) - 1)]
    return low + (high - low) * (place - int(place))


def number(event: Event, field: str) -> float | None:
    """The number that is there, or None."""
    if re.fullmatch(r'payload\.("[^"]*"|[^."]+)', field):
        found = (event.payload or {}).get(field.removeprefix("payload.").strip('"'))
    else:
        found = value(event, field)
    return float(found) if _is_number(found) else None


def value(event: Event, field: str) -> Any:
    """What is there: a text, a number, a truth value, or None."""
    if field in TEXTS:
        return TEXTS[field](event)
    document, *keys = [key.strip('"') for key in re.findall(r'"[^"]*"|[^."]+', field)]
    found = getattr(event, document)
    for key in keys:
        found = found.get(key) if isinstance(found, dict) else None
    if isinstance(found, dict | list):
        return None
    if isinstance(found, int) and not -(2**63) <= found < 2**64:
        return str(found)
    return float(found) if _is_number(found) else found


def holds(event: Event, found: dict) -> bool:
    op = found["op"]
    if op in {"and", "or"}:
        return {"and": all, "or": any}[op](holds(event, f) for f in found["filters"])
    if op == "not":
        return not holds(event, found["filter"])
    there = value(event, found["field"])
    match op:
        case "exists":
            return there is not None
        case "is" | "is_not":
            return (_typed(there) == _typed(found["value"])) == (op == "is")
        case "in" | "not_in":
            return (_typed(there) in [_typed(v) for v in found["values"]]) == (op == "in")
        case "contains":
            return isinstance(there, str) and found["value"] in there
        case "starts_with":
            return isinstance(there, str) and there.startswith(found["value"])
    there = number(event, found["field"])
    if there is None:
        return False
    wanted = float(found["value"])  # numbers are 64-bit floats, as docs/api-query.md says
    return {"gt": there > wanted, "gte": there >= wanted, "lt": there < wanted}.get(
        op, there <= wanted
    )


def _typed(found: Any) -> tuple:
    """In the order of answers: nothing, false, true, numbers, texts."""
    kinds = (found is None, found is False, found is True, _is_number(found), True)
    return kinds.index(True), float(found) if _is_number(found) else found


def _is_number(found: Any) -> bool:
    return isinstance(found, int | float) and not isinstance(found, bool)


def _within(found: Found, start: int, end: int) -> list[Event]:
    return [e for e in found if start <= _ms(e.timestamp) < end]


def _digits(number: Fraction | int | None) -> float | None:
    if number is None or float(number).is_integer():
        return None if number is None else float(number)
    return float(f"{float(number):.15g}")
