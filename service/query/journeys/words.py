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
    tz: str = "UTC"


class Broken(Journey, frozen=True, kw_only=True):
    """What those take whose answer is broken down."""

    dimensions: Annotated[tuple[str, ...], Meta(max_length=MOST_DIMENSIONS)] = ()
    interval: str | None = None
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
