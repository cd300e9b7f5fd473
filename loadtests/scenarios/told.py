"""What the process that sends tells the one that watches: a line a second, and one at the end."""

from collections.abc import Mapping, Sequence

import msgspec


class Order(msgspec.Struct, kw_only=True, frozen=True):
    """What to send, where to, and as whom."""

    text: str
    """The scenario, as it is written."""
    folder: str
    """Where its recording is."""
    url: str
    keys: Sequence[str]
    """One for each tenant."""
    run: str
    """What the ids of all events begin with."""
    duration: float | None = None
    """Seconds, instead of the scenario's."""
    rate: float | None = None
    """Events a second, instead of the scenario's."""


class Second(msgspec.Struct, kw_only=True, frozen=True, tag=True):
    """A second of the run. Latencies are milliseconds, from when a request was due."""

    at: int
    """Seconds after the beginning."""
    due: int
    """Events that were due."""
    acknowledged: int
    """Events in the requests that were answered well."""
    p50: float | None
    p99: float | None
    refused: int
    """Answers 408, 429 and 503; these requests are sent again."""
    lost: int
    """Requests whose connection ended before the answer, or that nobody answered; sent again."""
    wrong: int
    """All other answers."""
    waiting: int
    """Requests with events that are due and not answered well yet."""
    reads: int
    read_p99: float | None
    receipt: str | None
    """The first tenant's last one, and when it came by the clock `time.monotonic`."""
    received: float


class Latencies(msgspec.Struct, kw_only=True, frozen=True):
    """Milliseconds at these percentiles of the good answers."""

    count: int
    at: Mapping[str, float]

    @property
    def p50(self) -> float:
        return self.at["50"]

    @property
    def p99(self) -> float:
        return self.at["99"]


class TenantSent(msgspec.Struct, kw_only=True):
    """What became of one tenant's events."""

    sent: int = 0
    """Events in requests that were due, repeats among them."""
    distinct: int = 0
    """Without the repeats: as many should be counted."""
    acknowledged: int = 0
    """Of the distinct ones, those that were acknowledged."""
    receipt: str | None = None
    """The last one."""


class Outcome(msgspec.Struct, kw_only=True, frozen=True, tag=True):
    """All of the run."""

    began: float
    """Seconds since 1970 UTC."""
    seconds: float
    """Until the last answer."""
    tenants: list[TenantSent]
    requests: int
    unanswered: int
    """Requests with events that nobody answered well in time: it is not known what became of
    them."""
    answers: dict[str, int]
    """How often each other answer came, and `no answer`."""
    said: dict[str, str]
    """What the first of each of them said."""
    rejected: int
    """Single events that the service would not have."""
    corrected: Latencies
    """From when a request was due."""
    answered_in: Latencies
    """From when it was sent at last: what a client that waits for answers would have seen."""
    reads: dict[str, Latencies]
    behind: Latencies
    """How late the generator itself was."""
