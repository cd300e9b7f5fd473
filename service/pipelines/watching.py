"""What a running pipeline tells of itself: lines of its log, and figures of each subscription."""

import time
from collections import deque
from collections.abc import Callable, Sequence
from typing import Literal

import msgspec

from service.telemetry import (
    pipeline_failures,
    pipeline_records,
    pipeline_refused,
)

Level = Literal["info", "warning", "error"]
Say = Callable[[Level, str], None]
_LATENCIES = 500
"""The newest ones, of which the percentiles are."""
_RATE_SECONDS = 10.0


class Figures(msgspec.Struct, frozen=True):
    """How a subscription does. Times in ms, `at` and `last_record_at` since 1970 UTC."""

    at: int
    lag: int
    """Frames of the bus that are not done yet."""
    records: int
    """Since this worker took the pipeline up."""
    refused: int
    per_second: float
    last_error: str
    last_record_at: int
    latency_p50: float
    """From the bus to the target, of the newest records."""
    latency_p95: float
    latency_p99: float
    in_trouble: bool
    """Whether tries fail now."""


class Watch:
    """What one part of a pipeline (its source, or one subscription) notes as it works."""

    def __init__(self, kind: str, say: Say) -> None:
        self._kind = kind
        self._say = say
        self._latencies: deque[float] = deque(maxlen=_LATENCIES)
        self._moments: deque[tuple[float, int]] = deque()
        self.records = 0
        self.refused = 0
        self.lag = 0
        self.last_error = ""
        self.last_record_at = 0
        self.is_open = False
        self.in_trouble = False

    def say(self, level: Level, text: str) -> None:
        self._say(level, text)

    def opened(self, what: str) -> None:
        self.is_open = True
        self.say("info", f"the {what} ({self._kind}) is open")

    def took(self, records: int) -> None:
        """So many records were moved."""
        self.records += records
        self.last_record_at = time.time_ns() // 1_000_000
        self._moments.append((time.monotonic(), records))
        pipeline_records.labels(self._kind).inc(records)

    def latency(self, since: int) -> None:
        """Records that the bus took then (ms since 1970 UTC) are at the target now."""
        self._latencies.append(max(0.0, time.time() * 1000 - since))

    def refuse(self, records: int, reason: str) -> None:
        """So many records were refused, one of them for this reason."""
        self.refused += records
        self.last_error = reason
        pipeline_refused.labels(self._kind).inc(records)
        self.say("warning", f"{records} refused: {reason}")

    def failed(self, reason: str, attempt: int) -> None:
        """A try failed: told at the first, and then ever more seldom."""
        self.last_error, self.in_trouble = reason, True
        pipeline_failures.labels(self._kind).inc()
        if attempt & (attempt - 1) == 0:
            self.say("warning", f"try {attempt} failed: {reason}")

    def works(self) -> None:
        if self.in_trouble:
            self.say("info", "it works again")
        self.in_trouble = False

    def full(self) -> None:
        if not self.in_trouble:
            self.say("warning", "the bus is full: the source waits for the targets")
        self.in_trouble = True

    def figures(self) -> Figures:
        now = time.monotonic()
        while self._moments and now - self._moments[0][0] > _RATE_SECONDS:
            self._moments.popleft()
        sorted_latencies = sorted(self._latencies)
        return Figures(
            at=time.time_ns() // 1_000_000,
            lag=self.lag,
            records=self.records,
            refused=self.refused,
            per_second=sum(n for _, n in self._moments) / _RATE_SECONDS,
            last_error=self.last_error,
            last_record_at=self.last_record_at,
            latency_p50=_percentile(sorted_latencies, 0.50),
            latency_p95=_percentile(sorted_latencies, 0.95),
            latency_p99=_percentile(sorted_latencies, 0.99),
            in_trouble=self.in_trouble,
        )


def _percentile(ordered: Sequence[float], share: float) -> float:
    """The nearest rank; 0 where there is nothing."""
    if not ordered:
        return 0.0
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]
