"""Does it grow? The slope of samples over time, and how sure that is."""

from collections.abc import Sequence
from typing import Literal

import msgspec
import numpy as np

BLOCKS = 20
"""Samples are averaged in so many blocks, as neighbours say much the same."""
_STUDENT = 2.101
"""Student's t for 95 %, with two degrees of freedom less than there are blocks."""
_WARM_UP = 1 / 3
LEAST_WARM_UP = 120.0
"""Of the time, and seconds: what is filled at first is no growth."""


class Trend(msgspec.Struct, kw_only=True, frozen=True):
    """How samples go over time."""

    level: float
    """The mean, after the warming up."""
    slope: float
    """What comes on top in an hour."""
    least: float
    most: float
    """The slope's 95 % confidence interval."""

    def verdict(self, tolerated: float) -> Literal["flat", "growing", "unclear"]:
        """`tolerated` is the growth in an hour that does not matter, as a share of the level."""
        limit = tolerated * max(self.level, 1e-9)
        if self.least > limit:
            return "growing"
        return "flat" if self.most <= limit else "unclear"


def trend(samples: Sequence[tuple[float, float]]) -> Trend | None:
    """The trend of (seconds, value) after the warming up, ordinary least squares over means of
    blocks; None if there are fewer than two samples a block."""
    warm = max(LEAST_WARM_UP, samples[-1][0] * _WARM_UP) if samples else 0.0
    after = [sample for sample in samples if sample[0] >= warm]
    if len(after) < 2 * BLOCKS:
        return None
    blocks = np.array([np.mean(block, axis=0) for block in np.array_split(np.array(after), BLOCKS)])
    hours, values = blocks[:, 0] / 3600, blocks[:, 1]
    slope, start = np.polyfit(hours, values, 1)
    left = values - (slope * hours + start)
    spread = np.sum((hours - hours.mean()) ** 2)
    error = float(np.sqrt(np.sum(left**2) / (BLOCKS - 2) / spread)) * _STUDENT
    return Trend(
        level=float(np.mean(values)),
        slope=float(slope),
        least=float(slope) - error,
        most=float(slope) + error,
    )
