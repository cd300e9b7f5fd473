"""Time as an axis: the number of the bucket that a moment lies in, as a piece of a statement."""

from collections.abc import Sequence

from service.storage.protocol import Statement


def bucket(starts: Sequence[int], interval: int) -> Statement:
    """The number of the bucket of a moment, the latest stretch of even buckets looked at first."""
    steps = [
        Statement(
            "facts.step",
            {"begin": starts[first], "first": first, "last": last, "interval": interval},
        )
        for first, last in _stretches(starts, interval)
    ]
    return Statement("facts.buckets", parts={"steps": steps[::-1]})


def _stretches(starts: Sequence[int], interval: int) -> list[tuple[int, int]]:
    """The first and last bucket of each stretch in which one bucket follows the other evenly."""
    breaks = [n for n in range(1, len(starts)) if starts[n] - starts[n - 1] != interval]
    firsts = [0, *breaks]
    return list(zip(firsts, [*(n - 1 for n in breaks), len(starts) - 1], strict=True))
