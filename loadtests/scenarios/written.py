"""A scenario as it is written: a TOML file of a few lines. What is wrong in it is told by line."""

import re
import tomllib
from difflib import get_close_matches
from pathlib import Path
from typing import Annotated, Any, Literal, get_args, get_origin

import msgspec

FOLDER = Path(__file__).parent
"""Where the scenarios that come with this are kept."""
_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_SPAN = re.compile(r"(\d+(?:\.\d+)?) *(ms|s|m|h|d)")

Share = Annotated[float, msgspec.Meta(ge=0, le=1)]
Positive = Annotated[float, msgspec.Meta(gt=0)]
Count = Annotated[int, msgspec.Meta(ge=1)]


class WrongScenario(Exception):
    """A scenario that cannot be run: which file, line and field, and what is allowed there."""


class Span(float):
    """Seconds, written with their unit: `"500ms"`, `"30s"`, `"5m"`, `"2h"`, `"1d"`."""


class Part(msgspec.Struct, kw_only=True, frozen=True, forbid_unknown_fields=True):
    """A table of a scenario."""


class Events(Part, kw_only=True, frozen=True):
    """What is sent. Either a `rate`, or a `speed` of a recording."""

    recording: str | None = None
    """A file beside the scenario, or the name of a packaged recording; without one events are made
    by rule: a hundred thousand users, some of them very busy, seven types."""
    rate: Positive | None = None
    """Events a second."""
    speed: Positive | None = None
    """Times as fast as they were recorded."""
    batch: Annotated[int, msgspec.Meta(ge=1, le=1000)] = 500
    """Events in one request, at most."""
    arrivals: Literal["even", "poisson"] = "even"
    """Whether requests are due at even distances, or at random as from many independent callers."""

    def __post_init__(self) -> None:
        if (self.rate is None) == (self.speed is None):
            raise ValueError("needs either `rate` or `speed`")
        if self.speed is not None and self.recording is None:
            raise ValueError("`speed` needs a `recording`; what is made by rule has a `rate`")
        if self.speed is not None and self.arrivals != "even":
            raise ValueError('`arrivals = "poisson"` needs a `rate`; a recording has its own times')


class Repeats(Part, kw_only=True, frozen=True):
    """Events that are sent again, with the same id."""

    share: Share = 0.0
    """Of all events."""
    within: Count = 10_000
    """How many events ago the first one was, at most."""


class Late(Part, kw_only=True, frozen=True):
    """Events that happened before they are sent."""

    share: Share = 0.0
    by: Span = Span(3600)
    """How long before, at most."""


class Bursts(Part, kw_only=True, frozen=True):
    """Spells of more traffic."""

    every: Span
    lasts: Span
    times: Positive
    """How many times the usual traffic."""

    def __post_init__(self) -> None:
        if not 0 < self.lasts < self.every:
            raise ValueError("`lasts` must be shorter than `every`")


class Tenants(Part, kw_only=True, frozen=True):
    """Environments that the events are spread over; each needs a key."""

    count: Annotated[int, msgspec.Meta(ge=1, le=64)] = 1
    skew: Annotated[float, msgspec.Meta(ge=0, le=5)] = 0.0
    """The n-th has 1/n^skew times as much traffic as the first; 0 means all the same."""


class Read(Part, kw_only=True, frozen=True):
    """A question that is asked all the while."""

    path: Annotated[str, msgspec.Meta(pattern="^/")]
    """What is got, with its parameters."""
    rate: Positive
    """Times a second."""


class Scenario(Part, kw_only=True, frozen=True):
    """A load test."""

    about: str
    """What it shows, in a line."""
    duration: Span
    """How long requests are due; what is under way then is waited for."""
    seed: int = 1
    """The same seed makes the same traffic, but for ids and times."""
    connections: Annotated[int, msgspec.Meta(ge=1, le=2000)] = 32
    """For events; as many again for questions, if there are any."""
    patience: Span = Span(30)
    """How long after the end what was refused or lost is sent again."""
    events: Events
    repeats: Repeats = Repeats()
    late: Late = Late()
    bursts: Bursts | None = None
    tenants: Tenants = Tenants()
    reads: tuple[Read, ...] = ()

    def __post_init__(self) -> None:
        if self.duration <= 0:
            raise ValueError("`duration` must be longer than nothing")


def provided() -> dict[str, Path]:
    """The scenarios that come with this, by name."""
    return {path.stem: path for path in sorted(FOLDER.glob("*.toml"))}


def found(name: str) -> Path:
    """The file that a path or the name of a provided scenario stands for. Raises WrongScenario."""
    path = Path(name)
    if path.is_file():
        return path
    if known := provided().get(name):
        return known
    near = _near(name, list(provided()))
    raise WrongScenario(f"{name} is neither a file nor a scenario that comes with this{near}")


def parsed(text: str, name: str) -> Scenario:
    """The scenario. Raises WrongScenario, which begins with `name`."""
    try:
        document = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise WrongScenario(f"{name}: {error}") from None
    try:
        return msgspec.convert(document, Scenario, dec_hook=_span)
    except msgspec.ValidationError as error:
        raise WrongScenario(f"{name}{_told(str(error), text)}") from None


def shortened(scenario: Scenario, duration: float | None, rate: float | None) -> Scenario:
    """The same for another time (seconds), or at another rate (events a second)."""
    if duration is not None:
        scenario = msgspec.structs.replace(scenario, duration=Span(duration))
    if rate is not None:
        events = msgspec.structs.replace(scenario.events, rate=rate, speed=None)
        scenario = msgspec.structs.replace(scenario, events=events)
    return scenario


def span(text: object) -> Span:
    """Seconds of `"30s"`. Raises ValueError."""
    written = _SPAN.fullmatch(text) if isinstance(text, str) else None
    if not written:
        raise ValueError('must be a time with its unit, such as "500ms", "30s", "5m", "2h", "1d"')
    return Span(float(written[1]) * _UNITS[written[2]])


def _span(kind: type, value: object) -> Span:
    assert kind is Span
    return span(value)


def _told(message: str, text: str) -> str:
    """What msgspec says, with the line, in the words of a scenario."""
    what, _, at = message.partition(" - at `$")
    steps = re.findall(r"\.(\w+)|\[(\d+)\]", at)
    path = tuple(name or int(index) for name, index in steps)
    if unknown := re.search(r"unknown field `([^`]*)`", what):
        path, what = (*path, unknown[1]), "there is no such field" + _near_field(unknown[1], path)
    elif wrong := re.search(r"Invalid enum value '(.*)'", what):
        allowed = [str(value) for value in get_args(_kind_at(path))]
        what = f"must be one of {', '.join(allowed)}{_near(wrong[1], allowed)}"
    shown = "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in path)
    field = f" `{shown[1:]}`:" if shown else ""
    return f", line {_line(text, path)}:{field} {_plainly(what)}"


_PLAIN = {
    "int": "a whole number",
    "float": "a number",
    "str": "a text",
    "array": "a list",
    "object": "a table",
    "bool": "true or false",
    "null": "left out",
}


def _plainly(what: str) -> str:
    what = re.sub(r"Object missing required field `(\w+)`", r"`\1` is missing here", what)
    what = re.sub(r"Expected `str` matching regex '\^/'", "must begin with a slash", what)
    what = re.sub(r"^Expected ", "must be ", what).replace(", got ", ", not ")
    names = re.sub(r" \| null", "", what)
    return re.sub(r"`(\w+)`", lambda word: _PLAIN.get(word[1], f"`{word[1]}`"), names)


def _near_field(name: str, path: tuple[str | int, ...]) -> str:
    names = [field.name for field in msgspec.structs.fields(_kind_at(path))]
    return _near(name, names)


def _near(name: str, names: list[str]) -> str:
    near = get_close_matches(name, names, 1)
    return f"; did you mean `{near[0]}`?" if near else f"; there are: {', '.join(names)}"


def _kind_at(path: tuple[str | int, ...]) -> Any:
    """The type of what stands at a path."""
    kind: Any = Scenario
    for step in path:
        if isinstance(step, int):
            kind = get_args(kind)[0]
        else:
            kind = {field.name: field.type for field in msgspec.structs.fields(kind)}[step]
        if get_origin(kind) not in (tuple, Literal):
            inner = [part for part in get_args(kind) if part is not type(None)]
            kind = inner[0] if inner else kind
    return kind


def _line(text: str, path: tuple[str | int, ...]) -> int:
    """The line of what stands at a path, or of the table that it stands in."""
    lines = _lines(text)
    while path and path not in lines:
        path = path[:-1]
    return lines.get(path, 1)


def _lines(text: str) -> dict[tuple[str | int, ...], int]:
    """The line of each table and key."""
    found: dict[tuple[str | int, ...], int] = {}
    table: tuple[str | int, ...] = ()
    for number, line in enumerate(text.splitlines(), 1):
        if many := re.match(r"\s*\[\[\s*([\w-]+)\s*\]\]", line):
            index = sum(place[:-1] == (many[1],) and isinstance(place[-1], int) for place in found)
            table = (many[1], index)
            found[table] = number
        elif one := re.match(r"\s*\[\s*([\w-]+)\s*\]", line):
            table = (one[1],)
            found[table] = number
        elif key := re.match(r"\s*\"?([\w-]+)\"?\s*=", line):
            found.setdefault((*table, key[1]), number)
    return found
