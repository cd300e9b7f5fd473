"""The metrics that can be asked for, by the names that callers know."""

import re
from dataclasses import dataclass

from service.errors import InvalidInput
from service.query.language.fields import Column, Field, field_named, meant, shown

COUNTS = ("events", "users", "sessions", "events_per_user", "rate")
SUMS = ("count", "sum", "avg", "min", "max")
"""Of a number of the event, as are the percentiles p1 to p99."""

_OF_NUMBER = re.compile(r"(\w+)\((.+)\)")
_PERCENTILE = re.compile(r"p([1-9][0-9]?)")
_ALLOWED = f"{', '.join(COUNTS)}; {', '.join(SUMS)}, p1 … p99 of a number, like avg(payload.price)"
_WHOLE = {"events", "users", "sessions", "count"}


@dataclass(frozen=True, slots=True)
class Metric:
    """What is counted: its name, and the number it is of, if it is of one."""

    name: str
    """As the caller wrote it."""
    kind: str
    of: Field | None = None
    level: float = 0.0
    """Of a percentile: its share of 1."""

    @property
    def whole(self) -> bool:
        """Whether it is a whole number."""
        return self.kind in _WHOLE

    @property
    def of_nothing(self) -> float | None:
        """Its value where there are no events."""
        return 0 if self.whole else 0.0 if self.kind in {"rate", "sum"} else None


def metric_named(name: str, place: str) -> Metric:
    """The metric of that name. Raises InvalidInput, which names the place in the document."""
    if name in COUNTS:
        return Metric(name, name)
    if (found := _OF_NUMBER.fullmatch(name)) is None:
        raise _unknown(name, name, place)
    kind, field = found[1], field_named(found[2], place)
    if isinstance(field, Column):
        raise InvalidInput(
            f"`{place}`: {shown(found[2])} is a text; {kind} is of a number, "
            "like payload.price or priority",
            place,
        )
    if level := _PERCENTILE.fullmatch(kind):
        return Metric(name, "percentile", field, int(level[1]) / 100)
    if kind not in SUMS:
        raise _unknown(name, kind, place)
    return Metric(name, kind, field)


def _unknown(name: str, word: str, place: str) -> InvalidInput:
    near = meant(word, [*COUNTS, *SUMS, "p50", "p90", "p95", "p99"])
    return InvalidInput(
        f"`{place}`: there is no metric {shown(name)}{near}; there are {_ALLOWED}", place
    )
