"""From the tables that the store gave to the document of a funnel."""

from collections.abc import Iterator
from dataclasses import dataclass

import msgspec

from service.query.journeys.asked import Tables
from service.query.journeys.breakdown import Breakdown, Found, Row
from service.query.journeys.shown import seconds_of, share_of
from service.query.language.answer import span_of
from service.query.language.conditions import column
from service.query.language.words import Span, Value
from service.storage.protocol import Statement

Seconds = dict[str, float | None]
"""By `p50` and the like."""


class StepTaken(msgspec.Struct, omit_defaults=True, rename="camel"):
    """How many users took a step, as a share of those who took the first and the one before."""

    name: str
    users: int
    share: float | None
    share_of_previous: float | None
    seconds_from_first: Seconds | None = None
    seconds_from_previous: Seconds | None = None


class FunnelCompared(msgspec.Struct, omit_defaults=True):
    """The same steps in the range that is compared with, and where their bucket begins there."""

    steps: list[StepTaken]
    time: str | None = None


class FunnelRow(msgspec.Struct, omit_defaults=True):
    """The steps of one group, of those who began in one bucket if time is a dimension."""

    dimensions: dict[str, Value | int]
    steps: list[StepTaken]
    compare: FunnelCompared | None = None


class FunnelTotals(msgspec.Struct, omit_defaults=True):
    """The steps of all users."""

    steps: list[StepTaken]
    compare: FunnelCompared | None = None


class FunnelDocument(msgspec.Struct, omit_defaults=True):
    """The answer to a funnel."""

    range: Span
    rows: list[FunnelRow]
    compare: Span | None = None
    totals: FunnelTotals | None = None


@dataclass(frozen=True, slots=True)
class FunnelShape:
    """What an answer has to show."""

    names: tuple[str, ...]
    """Of the steps."""
    percentiles: tuple[int, ...]

    def metrics(self) -> Iterator[Statement]:
        """What is counted over runs: who reached each step, and how long that took."""
        for step in range(1, len(self.names) + 1):
            yield column(f"reached{step}", Statement("journeys.reached", {"step": step}))
        for number, (step, since, percent) in enumerate(self._times()):
            seconds = {"step": step, "until": f"moment{step}", "since": f"moment{since}"}
            of = {"number": [Statement("journeys.seconds", seconds)]}
            level = {"level": percent / 100}
            yield column(f"seconds{number}", Statement("metrics.percentile", level, of))

    def steps(self, row: Row) -> list[StepTaken]:
        """The steps as answers show them."""
        users = [row.get(f"reached{n}", 0) for n in range(1, len(self.names) + 1)]
        return [
            StepTaken(
                name,
                users[n],
                share_of(users[n], users[0]),
                share_of(users[n], users[max(n - 1, 0)]),
                self._seconds(row, n + 1, 1) if n else None,
                self._seconds(row, n + 1, n) if n else None,
            )
            for n, name in enumerate(self.names)
        ]

    def _seconds(self, row: Row, step: int, since: int) -> Seconds:
        """The percentiles of the time between two steps."""
        places = {time: number for number, time in enumerate(self._times())}
        return {
            f"p{percent}": seconds_of(row.get(f"seconds{places[step, since, percent]}"))
            for percent in self.percentiles
        }

    def _times(self) -> Iterator[tuple[int, int, int]]:
        """Step, since which other one, and percentile: each once."""
        for step in range(2, len(self.names) + 1):
            for since in {1: None, step - 1: None}:
                for percent in self.percentiles:
                    yield step, since, percent


def funnel_document(shape: FunnelShape, breakdown: Breakdown, tables: Tables) -> bytes:
    """The document as JSON."""
    whole = breakdown.whole(tables)
    document = FunnelDocument(
        range=span_of(breakdown.range),
        rows=[
            FunnelRow(found.dimensions, shape.steps(found.row), _compared(shape, found))
            for found in breakdown.rows(tables)
        ],
        compare=span_of(breakdown.compare) if breakdown.compare else None,
        totals=FunnelTotals(shape.steps(whole.row), _compared(shape, whole)) if whole else None,
    )
    return msgspec.json.encode(document)


def _compared(shape: FunnelShape, found: Found) -> FunnelCompared | None:
    if found.compared is None:
        return None
    return FunnelCompared(shape.steps(found.compared), found.time)
