"""How much a run of the bench does: from a few seconds that only show that it works, to all."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Scale:
    """Times in seconds."""

    name: str
    sustained: float
    """How long batches are sent as fast as they are taken."""
    rounds: int
    """Comparisons with a limit are the medians of this many alternating rounds."""
    round: float
    most_batches: int | None
    """Batches after which the sustained load ends before its time, or whatever its time."""
    probes: int
    """Events whose way into an answer is timed."""
    rows: int
    """Events in the store that questions are asked of."""
    questions: int
    """Uncached questions of each range."""
    pollers: int


SCALES = {
    scale.name: scale
    for scale in (
        Scale("smoke", 1.0, 1, 0.3, None, 3, 20_000, 2, 20),
        Scale("quick", 20.0, 1, 2.0, None, 20, 1_000_000, 10, 1000),
        Scale("standard", 60.0, 3, 3.0, None, 60, 10_000_000, 30, 1000),
        Scale("full", 600.0, 5, 5.0, 60_000, 120, 10_000_000, 30, 1000),
    )
}
