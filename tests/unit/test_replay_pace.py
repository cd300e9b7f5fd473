"""How a replay keeps its pace, and how it cuts what it sends."""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest

from service.recordings.recording import BadLine, Extent, Record
from service.replay.pace import Pace
from service.replay.parcels import Parcel, parcels, size


class Kept:
    """A recording of events at the given times, ms."""

    name = "kept"

    def __init__(self, *times: int) -> None:
        self._times = times

    def extent(self) -> Extent:
        return Extent(len(self._times), 0, min(self._times), max(self._times))

    def records(self) -> Iterator[Record | BadLine]:
        for line, at in enumerate(self._times, start=1):
            yield Record(line, at, {"timestamp": datetime.fromtimestamp(at / 1000, UTC)})


def cut(*times: int, batch: int = 500, **pace: Any) -> list[list[int]]:
    full = size(batch, pace.get("rate"), pace.get("speed"))
    found = parcels(Kept(*times), full, shift=0)
    return [parcel.lines for parcel in found if isinstance(parcel, Parcel)]


def due(*sizes: int, rate: float | None = None, speed: float | None = None) -> list[float]:
    """When parcels of these sizes, ten recorded seconds apart, may leave."""
    pace = Pace(100.0, rate, speed)
    ten = 10_000
    return [pace.due(Parcel("p", [{}] * n, [], i * ten, i * ten)) for i, n in enumerate(sizes)]


def test_without_a_pace_everything_leaves_at_once() -> None:
    assert due(500, 500) == [100.0, 100.0]


def test_at_a_rate_each_leaves_when_those_before_it_have_had_their_time() -> None:
    assert due(50, 100, 1, rate=50) == [100.0, 101.0, 103.0]


def test_at_a_speed_each_leaves_at_its_recorded_distance_from_the_first() -> None:
    assert due(1, 1, 1, speed=2) == [100.0, 105.0, 110.0]


def test_with_rate_and_speed_the_slower_one_counts() -> None:
    assert due(1, 1, rate=0.05, speed=2) == [100.0, 120.0]
    assert due(1, 1, rate=50, speed=2) == [100.0, 105.0]


def test_unpaced_parcels_are_full_batches() -> None:
    assert cut(0, 0, 10**9, 0, 0, batch=2) == [[1, 2], [3, 4], [5]]


@pytest.mark.parametrize(("rate", "events"), [(5, 1), (40, 4), (1_000_000, 500)])
def test_a_slow_rate_sends_small_parcels_often(rate: float, events: int) -> None:
    assert size(500, rate, None).events == events


def test_at_a_speed_a_parcel_spans_no_more_than_a_tenth_of_a_second_of_replay() -> None:
    assert cut(0, 50, 100, 101, 5000, speed=1) == [[1, 2, 3], [4], [5]]
    assert cut(0, 50, 100, 101, 5000, speed=60) == [[1, 2, 3, 4, 5]]
