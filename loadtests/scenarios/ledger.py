"""What was sent, what became of it, and how long that took."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

import msgspec
import numpy as np

from loadtests.scenarios.told import Latencies, Outcome, Second, TenantSent
from loadtests.scenarios.traffic import Batch
from service.client.answers import Answer, BatchVerdict, Refusal

PERCENTILES = ("50", "75", "90", "95", "99", "99.9", "99.99", "100")
AGAIN = {"408", "429", "503"}
"""Answers after which the same request is sent again."""
GOOD = {"200", "202"}
NO_ANSWER = "no answer"
_MOST_SAID = 300

_verdict = msgspec.json.Decoder(Answer[BatchVerdict])


@dataclass(slots=True)
class _Second:
    """What is gathered of the second that runs."""

    due: int = 0
    acknowledged: int = 0
    refused: int = 0
    lost: int = 0
    wrong: int = 0
    latencies: list[float] = field(default_factory=list)
    reads: list[float] = field(default_factory=list)


class Ledger:
    """One run's account. Moments are of one clock; durations are seconds."""

    def __init__(self, tenants: int, paths: Sequence[str]) -> None:
        self.waiting = 0
        """Requests with events that are due and not settled."""
        self._tenants = [TenantSent() for _ in range(tenants)]
        self._received = 0.0
        self._paths = paths
        self._reads: dict[str, list[float]] = {path: [] for path in paths}
        self._answers: Counter[str] = Counter()
        self._said: dict[str, str] = {}
        self._requests = 0
        self._rejected = 0
        self._corrected: list[float] = []
        self._answered_in: list[float] = []
        self._behind: list[float] = []
        self._now = _Second()

    def due(self, batch: Batch, behind: float) -> None:
        """A request with events is due, and the generator is so late itself."""
        tenant = self._tenants[batch.tenant]
        tenant.sent += len(batch.fresh)
        tenant.distinct += sum(batch.fresh)
        self._now.due += len(batch.fresh)
        self._requests += 1
        self.waiting += 1
        self._behind.append(behind)

    def taken(
        self, batch: Batch, content: bytes, moment: float, since: tuple[float, float]
    ) -> None:
        """It was answered well; `since` it was due, and since it was sent at last."""
        verdict = _verdict.decode(content).data
        refused = [rejection.index for rejection in verdict.rejected]
        tenant = self._tenants[batch.tenant]
        tenant.acknowledged += sum(batch.fresh) - sum(batch.fresh[index] for index in refused)
        self._rejected += len(refused)
        if verdict.rejected:
            self._said.setdefault("rejected", verdict.rejected[0].message)
        if verdict.receipt:
            tenant.receipt = verdict.receipt
            self._received = self._received if batch.tenant else moment
        self._now.acknowledged += len(batch.fresh) - len(refused)
        self._now.latencies.append(since[0])
        self._corrected.append(since[0])
        self._answered_in.append(since[1])

    def not_taken(self, status: str, content: bytes) -> None:
        """It was answered otherwise, or not at all; if that is no reason to try again, for good."""
        self._answers[status] += 1
        self._said.setdefault(status, _told(content))
        if status.startswith(NO_ANSWER):
            self._now.lost += 1
        elif status[:3] in AGAIN:
            self._now.refused += 1
        else:
            self._now.wrong += 1

    def read(self, number: int, took: float) -> None:
        """A question was answered well."""
        self._reads[self._paths[number]].append(took)
        self._now.reads.append(took)

    def second(self, at: int) -> Second:
        """What there was since the last time this was asked."""
        now, self._now = self._now, _Second()
        return Second(
            at=at,
            due=now.due,
            acknowledged=now.acknowledged,
            p50=_percentile(now.latencies, 50),
            p99=_percentile(now.latencies, 99),
            refused=now.refused,
            lost=now.lost,
            wrong=now.wrong,
            waiting=self.waiting,
            reads=len(now.reads),
            read_p99=_percentile(now.reads, 99),
            receipt=self._tenants[0].receipt,
            received=self._received,
        )

    def outcome(self, began: float, seconds: float) -> Outcome:
        """All of it."""
        return Outcome(
            began=began,
            seconds=seconds,
            tenants=self._tenants,
            requests=self._requests,
            unanswered=self.waiting,
            answers=dict(self._answers),
            said=self._said,
            rejected=self._rejected,
            corrected=_latencies(self._corrected),
            answered_in=_latencies(self._answered_in),
            reads={path: _latencies(took) for path, took in self._reads.items()},
            behind=_latencies(self._behind),
        )


def _told(content: bytes) -> str:
    """What a refusal says."""
    try:
        return msgspec.json.decode(content, type=Refusal).error.message
    except (msgspec.DecodeError, UnicodeDecodeError):
        return content[:_MOST_SAID].decode(errors="replace")


def _percentile(took: Sequence[float], which: float) -> float | None:
    return float(np.percentile(took, which)) * 1000 if took else None


def _latencies(took: Sequence[float]) -> Latencies:
    found = np.percentile(took or [0.0], [float(name) for name in PERCENTILES]) * 1000
    at = dict(zip(PERCENTILES, map(float, found), strict=True))
    return Latencies(count=len(took), at=at)
