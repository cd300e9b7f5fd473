"""Comparisons: two things measured in turn, so that both see the same machine."""

import statistics
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass

from msgspec import structs

from loadtests.figures import Figure
from loadtests.generator import Sent
from loadtests.processes import Failed
from loadtests.scale import Scale

Measure = Callable[[], Awaitable[Sent]]


@dataclass(frozen=True, slots=True)
class Measured:
    """Medians over rounds."""

    rate: float
    """Requests a second."""
    cost: float
    """Processor time of the server for a request, in microseconds."""
    p99: float
    """Milliseconds that the slowest hundredth of the requests took at least."""


async def in_turn(scale: Scale, measures: Mapping[str, Measure]) -> dict[str, Measured]:
    """The medians of each, over the rounds of the scale."""
    seen: dict[str, list[Sent]] = {name: [] for name in measures}
    for _ in range(scale.rounds):
        for name, measure in measures.items():
            seen[name].append(checked(name, await measure()))
    return {name: _medians(found) for name, found in seen.items()}


def beside(figure: Figure, measured: Measured, limit: Measured) -> list[Figure]:
    """A comparison: `figure` with the rate and its limit, and what a request costs in both."""
    return [
        structs.replace(figure, value=measured.rate, unit="requests/s", limit=limit.rate),
        Figure(
            name=f"{figure.name}.cost",
            about="… processor time a request",
            value=measured.cost,
            unit="µs",
            better="less",
            limit=limit.cost,
            limit_about=figure.limit_about,
        ),
    ]


def checked(name: str, sent: Sent) -> Sent:
    """The same, if every answer was good. Raises Failed."""
    if sent.errors or not sent.answered:
        raise Failed(f"{name}: {sent.answered} good answers, errors {sent.errors}; {sent.last}")
    return sent


def _medians(sent: Sequence[Sent]) -> Measured:
    return Measured(
        rate=statistics.median(one.rate for one in sent),
        cost=statistics.median(one.cost for one in sent),
        p99=statistics.median(one.p99 for one in sent),
    )
