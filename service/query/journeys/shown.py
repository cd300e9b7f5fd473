"""Numbers as answers show them."""

from math import isfinite

from service.query.language.answer import certain

_HUNDREDTHS_OF_MS = 5
"""Decimals of a second."""


def share_of(part: float, whole: float) -> float | None:
    """What a part is of a whole, or what one of them has of it; of nothing it is nothing."""
    return certain(part / whole) if whole else None


def seconds_of(found: float | None) -> float | None:
    """A percentile of times, in seconds; the percentiles of nothing are nothing.

    Between two whole numbers of ms, whole percents fall on hundredths of one: what is beyond them
    is the engine's arithmetic.
    """
    return round(found, _HUNDREDTHS_OF_MS) if found is not None and isfinite(found) else None
