"""The judge: compares the ledger with the file that the service left, read by DuckDB alone."""

import time
from collections import Counter
from dataclasses import dataclass

import duckdb

from tests.chaos.clients import DAY, Ledger
from tests.running import RunningService

STILL_SECONDS = 6
"""When the count has not moved for so long, it is what it will be."""


@dataclass(frozen=True)
class Findings:
    """What is wrong, and what was counted. `wrong` is empty when each event counts once."""

    lost: frozenset[str]
    """Acknowledged and not stored."""
    doubled: frozenset[str]
    foreign: frozenset[str]
    """Stored and never sent."""
    altered: frozenset[str]
    counts: dict[str, int]
    wrong: tuple[str, ...]


def assert_counted_once(service: RunningService, ledger: Ledger) -> None:
    """Every acknowledged event is stored once and counted; nothing else is there."""
    findings = judge(service, ledger)
    told = f"{findings.counts}\n{ledger.answers}\n{service.last_words()}"
    assert not findings.wrong, "\n".join((*findings.wrong, told))
    assert ledger.acknowledged, "nothing was acknowledged: this run proves nothing"


def judge(service: RunningService, ledger: Ledger) -> Findings:
    """Ask the running service for its total, end it, and compare with what it stored."""
    if service.exit_code() is not None:
        service.start()
    wait_until_counted(service, len(ledger.acknowledged))
    now = int(time.time()) * 1000
    window = now - 5 * DAY, now + DAY
    total = metrics_total(service, *window)
    verified = service.headrace("verify")
    ended = service.stop()
    stored = _stored(service)
    counts = Counter(event_id for event_id, *_ in stored)
    expected = sum(window[0] <= moment < window[1] for *_, moment in stored)
    found = {
        "lost": ledger.acknowledged - counts.keys(),
        "doubled": {event_id for event_id, times in counts.items() if times > 1},
        "foreign": counts.keys() - ledger.sent.keys(),
        "altered": _altered(stored, ledger),
    }
    wrong = [f"{len(ids)} {name}: {sorted(ids)[:5]}" for name, ids in found.items() if ids]
    if total != expected:
        wrong.append(f"metrics count {total} events, the file holds {expected}")
    if verified.returncode:
        wrong.append(f"headrace verify: {verified.stdout}{verified.stderr}")
    if ended:
        wrong.append(f"the service ended with exit code {ended}")
    wrong += [f"a surprising answer: {surprise}" for surprise in ledger.surprises[:5]]
    return Findings(
        **{name: frozenset(ids) for name, ids in found.items()},
        counts={"sent": len(ledger.sent), "stored": len(stored), "metrics": total}
        | {"acknowledged": len(ledger.acknowledged)},
        wrong=tuple(wrong),
    )


def metrics_total(service: RunningService, start: int, end: int) -> int:
    """What the public question counts between two moments (ms), free of the cache."""
    answer = service.get("/api/v1/analytics/metrics", start=_iso(start), end=_iso(end))
    assert answer.status_code == 200, answer.text
    total: int = answer.json()["data"]["totalEvents"]
    return total


def wait_until_counted(service: RunningService, events: int) -> None:
    """Return when so many events are counted, or when the count stands still."""
    counted, moved = -1, time.monotonic()
    while counted < events and time.monotonic() < moved + STILL_SECONDS:
        stats = service.get("/api/v1/events/stats")
        now = stats.json()["data"]["totalIngested"] if stats.status_code == 200 else counted
        if now != counted:
            counted, moved = now, time.monotonic()
        time.sleep(0.1)


def stored_ids(service: RunningService) -> set[str]:
    """The ids in the file of a service that has ended."""
    return {event_id for event_id, *_ in _stored(service)}


def _stored(service: RunningService) -> list[tuple[str, str, str, int]]:
    with duckdb.connect(str(service.data_dir / "events.duckdb"), read_only=True) as file:
        return file.execute(
            "SELECT event_id, event_type, user_id, timestamp FROM events"
        ).fetchall()


def _altered(stored: list[tuple[str, str, str, int]], ledger: Ledger) -> set[str]:
    sent = ledger.sent
    return {
        event_id
        for event_id, *content in stored
        if event_id in sent and content != [*sent[event_id][1:4]]
    }


def _iso(moment: int) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(moment // 1000))
