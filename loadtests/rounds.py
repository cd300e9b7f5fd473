"""Comparisons: two things measured in turn, so that both see the same machine."""

import statistics
from collections.abc import Awaitable, Callable, Mapping

from loadtests.generator import Sent
from loadtests.processes import Failed
from loadtests.scale import Scale

Measure = Callable[[], Awaitable[Sent]]


async def rates(scale: Scale, measures: Mapping[str, Measure]) -> dict[str, float]:
    """The median requests a second of each, over the rounds of the scale."""
    seen: dict[str, list[float]] = {name: [] for name in measures}
    for _ in range(scale.rounds):
        for name, measure in measures.items():
            seen[name].append(checked(name, await measure()).rate)
    return {name: statistics.median(found) for name, found in seen.items()}


def checked(name: str, sent: Sent) -> Sent:
    """The same, if every answer was good. Raises Failed."""
    if sent.errors or not sent.answered:
        raise Failed(f"{name}: {sent.answered} good answers, errors {sent.errors}; {sent.last}")
    return sent
