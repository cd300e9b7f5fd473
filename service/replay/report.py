"""What a replay says at its end."""

from dataclasses import dataclass, field

import numpy as np
from rich.console import Console
from rich.table import Table
from rich.text import Text

_SHOWN_REJECTIONS = 10


@dataclass(slots=True)
class Tally:
    """What is known while the replay runs."""

    sent: int = 0
    """Events that the service answered about."""
    accepted: int = 0
    duplicates: int = 0
    duplicates_retried: int = 0
    """Those among the duplicates whose request had to be sent more than once."""
    accepted_retried: int = 0
    """The same of the accepted ones."""
    rejected: int = 0
    """Events that the service refused, and lines that are no event."""
    rejections: list[str] = field(default_factory=list)
    """The first few of them, with their places and reasons."""
    receipts: list[str] = field(default_factory=list)
    """In the order in which the answers came."""
    latencies: list[float] = field(default_factory=list)
    """Seconds from sending a batch to its answer."""

    def reject(self, place: str, reason: str) -> None:
        """Count a rejected row and keep it if it is among the first."""
        self.rejected += 1
        if len(self.rejections) < _SHOWN_REJECTIONS:
            self.rejections.append(f"{place}: {reason}")


@dataclass(frozen=True, slots=True)
class Counted:
    """The check: by how much the service's total grew, and by how much it should have."""

    new: int
    expected: int
    uncertain: int = 0
    """Repeats whose first copy may have been added by this replay, though its answer was lost."""

    @property
    def right(self) -> bool:
        return self.expected <= self.new <= self.expected + self.uncertain


@dataclass(frozen=True, slots=True)
class Report:
    """How a replay ended. `counted` is None when it could not be checked."""

    tally: Tally
    counted: Counted | None = None
    failure: str = ""
    interrupted: bool = False

    @property
    def exit_code(self) -> int:
        """0 when everything sent is counted, 130 after Ctrl-C, 1 otherwise."""
        if self.failure or self.counted is None or not self.counted.right:
            return 1
        return 130 if self.interrupted else 0

    def show(self, console: Console) -> None:
        """Print the closing table, the first rejected rows and the verdict."""
        console.print(_table(self.tally))
        for line in self.tally.rejections:
            console.print(Text(f"rejected {line}"), soft_wrap=True)
        if (hidden := self.tally.rejected - len(self.tally.rejections)) > 0:
            console.print(f"… and {hidden:,} more rejected rows", highlight=False)
        console.print(Text(self.verdict(), style=_style(self)), soft_wrap=True)

    def verdict(self) -> str:
        """The result in a sentence."""
        if self.failure:
            return (
                f"stopped: {self.failure}. Replay it again: what was counted is not counted twice."
            )
        if self.counted is None:
            return "not checked"
        begin = "interrupted; of what was sent, " if self.interrupted else ""
        return begin + _sentence(self.tally, self.counted)


def _sentence(tally: Tally, counted: Counted) -> str:
    if not counted.right:
        return (
            f"WRONG: the service counts {counted.new:,} new events, it should be "
            f"{counted.expected:,}; unless somebody else sent events of the same time, "
            "events are lost or counted twice"
        )
    known = tally.accepted + tally.duplicates - counted.new
    if counted.new == 0 and known:
        return f"0 new, all {known:,} were counted already"
    return f"counted: {counted.new:,} new" + (f", {known:,} known already" if known else "")


def _style(report: Report) -> str:
    return "bold green" if report.exit_code == 0 else "bold red"


def _table(tally: Tally) -> Table:
    table = Table(box=None, pad_edge=False)
    for name in ("sent", "accepted", "duplicates", "rejected"):
        table.add_column(name, justify="right")
    shares = (50, 95, 99, 100)
    for name in ("p50", "p95", "p99", "max"):
        table.add_column(f"{name} ms", justify="right")
    counts = (tally.sent, tally.accepted, tally.duplicates, tally.rejected)
    latencies = np.percentile(tally.latencies, shares) if tally.latencies else [0.0] * 4
    table.add_row(*(f"{n:,}" for n in counts), *(f"{s * 1000:.1f}" for s in latencies))
    return table
