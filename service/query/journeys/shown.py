"""Numbers as answers show them."""

from math import isfinite

from service.query.language.answer import certain


def share_of(part: float, whole: float) -> float | None:
    """What a part is of a whole, or what one of them has of it; of nothing it is nothing."""
    return certain(part / whole) if whole else None


def number_of(found: float | None) -> float | None:
    """A number that the store gave; the percentiles of nothing are nothing."""
    return certain(found) if found is not None and isfinite(found) else None
