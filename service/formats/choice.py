"""Which forms an answer may have, and which of them is asked for."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from difflib import get_close_matches

from service.errors import NotAcceptable


@dataclass(frozen=True, slots=True)
class Format:
    """A form of an answer: its name in `?format=`, its media types, how its files end."""

    name: str
    media: str
    ending: str
    others: tuple[str, ...] = ()
    """Further media types by which it is asked for."""
    version: str = ""

    @property
    def content_type(self) -> bytes:
        """What an answer in it says that it is."""
        version = f"; version={self.version}" if self.version else ""
        charset = "; charset=utf-8" if self.media.startswith("text/") else ""
        return f"{self.media}{version}{charset}".encode()


JSON = Format("json", "application/json", "json")
CSV = Format("csv", "text/csv", "csv")
NDJSON = Format("ndjson", "application/x-ndjson", "ndjson", ("application/jsonl",))
PARQUET = Format("parquet", "application/vnd.apache.parquet", "parquet")
ARROW = Format("arrow", "application/vnd.apache.arrow.stream", "arrows")

PROMETHEUS = Format("prometheus", "text/plain", "prom", version="0.0.4")
GRAFANA = Format("grafana", "application/json", "json")
SERIES = Format("grafana-series", "application/json", "json")

DRAWN = (PROMETHEUS, GRAFANA, SERIES)
"""What a table can be written as for programs that draw it."""
TABLES = (CSV, NDJSON, PARQUET, ARROW)
"""What any table can be written as."""

_RANGE = re.compile(r"\s*([\w!#$&.+^*-]+)/([\w!#$&.+^*-]+)\s*(;[^,]*)?")
_WEIGHT = re.compile(r";\s*q\s*=\s*([01](?:\.[0-9]{0,3})?)\s*(?:;|$)", re.I)


def format_asked(named: str | None, accept: str, allowed: Sequence[Format]) -> Format:
    """The form that `?format=` names, otherwise the one that `Accept` likes best.

    The first of those allowed stands for no wish at all. Raises NotAcceptable.
    """
    if named is not None:
        return _named(named, allowed)
    ranges = list(_ranges(accept))
    if not ranges:
        return allowed[0]
    weight, found = max(
        ((_weight(one, ranges), one) for one in allowed), key=lambda weighed: weighed[0]
    )
    if not weight:
        raise NotAcceptable(f"`accept`: an answer here is {_told(allowed)}", "accept")
    return found


def _named(name: str, allowed: Sequence[Format]) -> Format:
    for one in allowed:
        if one.name == name:
            return one
    near = get_close_matches(name, [one.name for one in allowed], n=1)
    meant = f"; did you mean `{near[0]}`?" if near else ""
    raise NotAcceptable(
        f"`format` must be one of {', '.join(one.name for one in allowed)}{meant}", "format"
    )


def _told(allowed: Sequence[Format]) -> str:
    return " or ".join(dict.fromkeys(one.media for one in allowed))


def _ranges(accept: str) -> Iterator[tuple[str, str, float]]:
    """Media ranges with their weights (RFC 9110, 12.5.1); what is none is passed over."""
    for part in accept.lower().split(","):
        if found := _RANGE.fullmatch(part):
            weight = _WEIGHT.search(found[3] or "")
            yield found[1], found[2], float(weight[1]) if weight else 1.0


def _weight(one: Format, ranges: Sequence[tuple[str, str, float]]) -> float:
    """How much a form is liked: as the narrowest range says that it lies in."""
    weights = [0.0]
    for media in (one.media, *one.others):
        kind, _, subtype = media.partition("/")
        for wanted in ((kind, subtype), (kind, "*"), ("*", "*")):
            if said := [weight for *named, weight in ranges if tuple(named) == wanted]:
                weights.append(max(said))
                break
    return max(weights)
