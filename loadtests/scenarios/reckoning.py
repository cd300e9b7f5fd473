"""The end of a run: is everything that was sent counted, once?

Each run's users have a name of their own, so that the question counts its events and no others,
whatever else comes in. The door's word on repeats is a hint and is not looked at: as many events
have to be counted as there were distinct ones.
"""

import asyncio
import random
import time
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import msgspec

from loadtests.scenarios.told import Outcome, TenantSent
from loadtests.scenarios.written import Scenario
from service.client import Client, Question

STILL_SECONDS = 10.0
"""When a count has not moved for so long, it is what it will be."""
_MARGIN = 60
"""Seconds by which the question reaches further than the events, at least."""


class Counted(msgspec.Struct, kw_only=True, frozen=True):
    """One tenant's events: what was sent, acknowledged and counted. Repeats are in `sent` alone."""

    sent: int
    distinct: int
    acknowledged: int
    counted: int


class Verdict(msgspec.Struct, kw_only=True, frozen=True):
    """Whether the account is right; if not, why."""

    tenants: list[Counted]
    reasons: list[str]
    seconds: float
    """From the last answer until all was counted."""

    @property
    def good(self) -> bool:
        return not self.reasons


async def reckon(
    clients: Sequence[Client], scenario: Scenario, run: str, outcome: Outcome
) -> Verdict:
    """Wait until all is counted, or the count stands still, and compare. Raises as the service
    answers the question."""
    began = time.monotonic()
    pairs = zip(clients, outcome.tenants, strict=True)
    counts = await asyncio.gather(*(_count(c, scenario, run, outcome, t) for c, t in pairs))
    tenants = [
        Counted(sent=t.sent, distinct=t.distinct, acknowledged=t.acknowledged, counted=count)
        for t, count in zip(outcome.tenants, counts, strict=True)
    ]
    took = time.monotonic() - began
    return Verdict(tenants=tenants, reasons=_reasons(tenants, outcome), seconds=took)


async def _count(
    client: Client, scenario: Scenario, run: str, outcome: Outcome, tenant: TenantSent
) -> int:
    """One tenant's events, when all are counted that should be, or when the count stands still."""
    counted = await _asked(client, scenario, run, outcome, tenant.receipt)
    moved = time.monotonic()
    while counted != tenant.acknowledged and time.monotonic() < moved + STILL_SECONDS:
        now = await _asked(client, scenario, run, outcome, None)
        if now != counted:
            counted, moved = now, time.monotonic()
        await asyncio.sleep(0.2)
    return counted


async def _asked(
    client: Client, scenario: Scenario, run: str, outcome: Outcome, receipt: str | None
) -> int:
    """Events of the run, asked as nobody has asked before, so that no cache answers."""
    first = datetime.fromtimestamp(outcome.began - scenario.late.by, UTC)
    last = datetime.fromtimestamp(outcome.began + outcome.seconds, UTC)
    question = Question(
        start=first - timedelta(seconds=_MARGIN + random.random() * _MARGIN),
        end=last + timedelta(seconds=_MARGIN + random.random() * _MARGIN),
        user_id=f"{run}-",
        limit=1,
        after=receipt,
    )
    return (await client.metrics(question)).total_events


def _reasons(tenants: Sequence[Counted], outcome: Outcome) -> list[str]:
    """What is wrong; nothing if all is counted once."""
    reasons = []
    for number, tenant in enumerate(tenants, 1):
        off = tenant.counted - tenant.acknowledged
        if off and not (off > 0 and outcome.unanswered):
            what = "acknowledged and not counted" if off < 0 else "counted that nobody sent twice"
            reasons.append(f"tenant {number}: {abs(off):,} events {what}")
    if outcome.unanswered:
        reasons.append(f"{outcome.unanswered:,} requests were not answered well in time")
    if outcome.rejected:
        reasons.append(f"{outcome.rejected:,} events were rejected: {outcome.said['rejected']}")
    for status in sorted(outcome.answers):
        if _is_wrong(status):
            times = outcome.answers[status]
            reasons.append(f"{times:,} times {status}: {outcome.said[status]}")
    return reasons


def _is_wrong(status: str) -> bool:
    """Whether it is an answer that nobody should get, however busy the service is."""
    return status[:3] not in ("408", "429", "503") and not status.startswith("no answer")
