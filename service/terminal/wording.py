"""From the words of a command line to the document of a question (docs/api-query.md)."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any

import msgspec

from service.errors import InvalidInput

FIELDS = {"type": "eventType", "user": "userId", "session": "sessionId", "id": "eventId"}
"""Short names of fields, dimensions and what is ordered by."""
INTERVALS = {"minute": "1m", "quarter": "15m", "hour": "1h", "day": "1d", "week": "1w"}
OPERATORS = {
    "is not": "is_not",
    "not in": "not_in",
    "starts with": "starts_with",
    "is_not": "is_not",
    "not_in": "not_in",
    "starts_with": "starts_with",
    "contains": "contains",
    "exists": "exists",
    "is": "is",
    "in": "in",
    "gte": "gte",
    "gt": "gt",
    "lte": "lte",
    "lt": "lt",
    "!=": "is_not",
    ">=": "gte",
    "<=": "lte",
    "=": "is",
    ">": "gt",
    "<": "lt",
}
"""What may stand between a field and a value, the longer ones first."""

_TEXTS = frozenset({*FIELDS.values(), "source"})
_FIELD = re.compile(r'(?:[^\s"=!<>]|"(?:[^"\\]|\\.)*")+')


@dataclass(frozen=True, slots=True)
class Wording:
    """What is asked, as it stands on a command line."""

    metrics: Sequence[str] = ()
    by: Sequence[str] = ()
    filters: Sequence[str] = ()
    range: str = "24h"
    start: str | None = None
    end: str | None = None
    interval: str | None = None
    tz: str | None = None
    compare: bool = False
    order: Sequence[str] = ()
    limit: int | None = None
    totals: bool = False
    other: bool = False


def query_of(wording: Wording) -> bytes:
    """The query document as JSON. Raises InvalidInput for a filter that is none."""
    optional = {
        "tz": wording.tz,
        "compare": "previous" if wording.compare else None,
        "order": [_ordered(name) for name in wording.order] or None,
        "limit": wording.limit,
        "totals": wording.totals or None,
        "other": wording.other or None,
        "interval": _interval(wording.interval),
    }
    document = {
        "metrics": list(wording.metrics) or ["events"],
        "dimensions": [*(["time"] if wording.interval else []), *map(_named, wording.by)],
        "filters": [filter_of(text) for text in wording.filters],
        "range": _range(wording),
    }
    given = {name: value for name, value in optional.items() if value is not None}
    return msgspec.json.encode({**document, **given})


def filter_of(text: str) -> dict[str, Any]:
    """A filter such as `type is login`, `payload.price >= 10`, `source in web, app`.

    Raises InvalidInput.
    """
    found = _FIELD.match(text.strip())
    if found is None:
        raise InvalidInput(f"a filter is a field, an operator and a value, not {text!r}")
    field, rest = _named(found[0]), text.strip()[found.end() :].strip()
    for said, op in OPERATORS.items():
        if rest.lower().startswith(said) and not _goes_on(rest, said):
            return _filter(field, op, rest[len(said) :].strip(), text)
    word = rest.split(" ")[0]
    close = get_close_matches(word, OPERATORS, 1)
    meant = f"; did you mean {close[0]!r}?" if close else ""
    there = ", ".join(OPERATORS)
    raise InvalidInput(f"in {text!r}, {word!r} is no operator{meant}; there are {there}")


def sql_of(query: str, parameters: Sequence[str], limit: int | None) -> bytes:
    """The document of a query in SQL; parameters are `name=value`. Raises InvalidInput."""
    values: dict[str, Any] = {}
    for parameter in parameters:
        name, equals, value = parameter.partition("=")
        if not equals:
            raise InvalidInput(f"a parameter is name=value, not {parameter!r}")
        values[name.strip()] = _value(value)
    document: Mapping[str, Any] = {"query": query, "parameters": values}
    return msgspec.json.encode({**document, "limit": limit} if limit else document)


def _goes_on(rest: str, said: str) -> bool:
    """Whether a word is longer than an operator that it begins with."""
    return said[-1].isalpha() and rest[len(said) : len(said) + 1].strip() != ""


def _filter(field: str, op: str, value: str, text: str) -> dict[str, Any]:
    if op == "exists":
        if value:
            raise InvalidInput(f"in {text!r}, nothing follows exists")
        return {"op": op, "field": field}
    if not value:
        raise InvalidInput(f"in {text!r} there is no value")
    read = _text if field in _TEXTS or op in ("contains", "starts_with") else _value
    if op in ("in", "not_in"):
        return {"op": op, "field": field, "values": [read(one.strip()) for one in value.split(",")]}
    return {"op": op, "field": field, "value": read(value)}


def _value(text: str) -> Any:
    """A number, a truth value, null or a quoted text as JSON has them; else the text itself."""
    try:
        value = msgspec.json.decode(text)
    except msgspec.DecodeError:
        return text
    return text if isinstance(value, dict | list) else value


def _text(text: str) -> Any:
    value = _value(text)
    return value if value is None or isinstance(value, str) else text


def _named(name: str) -> str:
    return FIELDS.get(name, name)


def _ordered(name: str) -> str:
    return f"-{_named(name[1:])}" if name.startswith("-") else _named(name)


def _interval(word: str | None) -> str | None:
    return INTERVALS.get(word, word) if word else None


def _range(wording: Wording) -> str | dict[str, str]:
    if wording.start is None and wording.end is None:
        return wording.range
    if wording.start is None or wording.end is None:
        raise InvalidInput("--start and --end belong together")
    return {"start": wording.start, "end": wording.end}
