"""The forms of the documents: what each of these questions takes."""

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from service.query.language.words import (
    MOST_DIMENSIONS,
    MOST_LIMIT,
    USUAL_LIMIT,
    Filter,
    Part,
    Span,
)

FEWEST_STEPS, MOST_STEPS = 2, 10
MOST_PERCENTILES = 5
DEEPEST_PATH = 10
USUAL_PATHS, MOST_PATHS = 20, 200

Percent = Annotated[int, Meta(ge=1, le=99)]
Percentiles = Annotated[tuple[Percent, ...], Meta(max_length=MOST_PERCENTILES)]


class Step(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """Which events are meant: of this type, and with what the filters ask; one of both at least."""

    event: Part | None = None
    filters: tuple[Filter, ...] = ()
    name: Part | None = None
    """As answers call it; the event type if nothing is said."""


class Journey(msgspec.Struct, forbid_unknown_fields=True, frozen=True, kw_only=True):
    """What every one of these questions takes."""

    filters: tuple[Filter, ...] = ()
    range: str | Span = "24h"


class Broken(Journey, frozen=True, kw_only=True):
    """What those take whose answer is broken down."""

    dimensions: Annotated[tuple[str, ...], Meta(max_length=MOST_DIMENSIONS)] = ()
    interval: str | None = None
    tz: str = "UTC"
    percentiles: Percentiles = (50, 90, 95)
    compare: str | Span | None = None
    limit: Annotated[int, Meta(ge=1, le=MOST_LIMIT)] = USUAL_LIMIT
    totals: bool = False


class Funnel(Broken, frozen=True, kw_only=True):
    """How many users take one step after the other, and how long that takes."""

    steps: Annotated[tuple[Step, ...], Meta(min_length=FEWEST_STEPS, max_length=MOST_STEPS)]
    window: str = "7d"


class Sessions(Broken, frozen=True, kw_only=True):
    """How many sessions there are, how long they last, and how many end where they begin."""

    by: Literal["gap", "sessionId"] = "gap"
    gap: str = "30m"


class Retention(Journey, frozen=True, kw_only=True):
    """How many of those who began in one period come back in those after it."""

    start: Step
    returned: Step | None = msgspec.field(default=None, name="return")
    period: Literal["day", "week", "month"] = "day"
    kind: Literal["first", "recurring"] = "first"
    tz: str = "UTC"


class Paths(Journey, frozen=True, kw_only=True):
    """Which ways users take from an event on, or to it."""

    start: Step | None = msgspec.field(default=None, name="from")
    end: Step | None = msgspec.field(default=None, name="to")
    of: str = "eventType"
    depth: Annotated[int, Meta(ge=2, le=DEEPEST_PATH)] = 5
    collapse: bool = False
    gap: str = "30m"
    limit: Annotated[int, Meta(ge=1, le=MOST_PATHS)] = USUAL_PATHS
