"""The judge: compares the ledger with the file that the service left, read by DuckDB alone."""

import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace

import duckdb

from service.rollup import Rollup
from service.storage.clickhouse import ClickHouseStore
from tests.chaos.clients import DAY, Ledger
from tests.chaos.tally import judged
from tests.running import RunningService

ROWS = "SELECT event_id, event_type, user_id, timestamp FROM events"
STILL_SECONDS = 7.0
"""When the count has not moved for so long, it is what it will be. The writer pauses up to 5 s."""


@dataclass(frozen=True)
class Findings:
    """What is in the file and should not be, or should be and is not. All empty is sound."""

    lost: set[str]
    """Acknowledged and not stored."""
    doubled: set[str]
    """Stored more than once."""
    foreign: set[str]
    """Stored and never sent."""
    altered: set[str]
    """Stored with another type, user or time than was sent."""
    differing: frozenset[str] = frozenset()
    """Rollups that differ from the rows; looked into where `headrace verify` is not asked."""


SOUND = Findings(set(), set(), set(), set())


def assert_counted_once(service: RunningService, ledger: Ledger) -> None:
    """Every acknowledged event is stored once and counted; nothing else is there.

    Asks the running service for its total and to verify itself, ends it and reads its file.
    """
    assert ledger.acknowledged, "nothing was acknowledged: this run proves nothing"
    if service.exit_code() is not None:
        service.start()
    wait_until_counted(service, len(ledger.acknowledged))
    now = int(time.time()) * 1000
    window = now - 5 * DAY, now + DAY
    total = metrics_total(service, *window)
    verified = service.headrace("verify")
    assert service.stop() == 0, service.last_words()
    found = compare(service, ledger)
    judged("embedded", len(ledger.acknowledged), len(found.lost), len(found.doubled))
    assert found == SOUND, told(service, ledger)
    assert total == sum(window[0] <= moment < window[1] for *_, moment in _stored(service))
    assert verified.returncode == 0, verified.stdout + verified.stderr
    assert not ledger.surprises, ledger.surprises[:5]


def compare(service: RunningService, ledger: Ledger) -> Findings:
    """The ledger beside the file of a service that has ended."""
    return compare_rows(_stored(service), ledger)


def compare_rows(stored: Sequence[tuple[str, str, str, int]], ledger: Ledger) -> Findings:
    """The ledger beside rows of (id, type, user, time)."""
    counts = Counter(event_id for event_id, *_ in stored)
    return Findings(
        lost=ledger.acknowledged - counts.keys(),
        doubled={event_id for event_id, times in counts.items() if times > 1},
        foreign=counts.keys() - ledger.sent.keys(),
        altered={
            event_id
            for event_id, *content in stored
            if event_id in ledger.sent and content != [*ledger.sent[event_id][1:4]]
        },
    )


async def compare_store(store: ClickHouseStore, ledger: Ledger) -> Findings:
    """The ledger beside the rows in ClickHouse, and every view beside them."""
    table = await store._engine.ask(ROWS, {}, None, {})
    rows = [tuple(row.values()) for row in table.to_pylist()]
    differing = frozenset(f.name for f in await Rollup(store).verify() if not f.ok)
    return replace(compare_rows(rows, ledger), differing=differing)


def told(service: RunningService, ledger: Ledger) -> str:
    """What helps to understand a verdict."""
    sizes = f"{len(ledger.sent)} sent, {len(ledger.acknowledged)} acknowledged"
    return f"{sizes}, {len(_stored(service))} stored\n{ledger.answers}\n{service.last_words()}"


def metrics_total(service: RunningService, start: int, end: int) -> int:
    """What the public question counts between two moments (ms); no other call asked it before."""
    answer = service.get("/api/v1/analytics/metrics", start=_iso(start), end=_iso(end))
    assert answer.status_code == 200, answer.text
    total: int = answer.json()["data"]["totalEvents"]
    return total


def wait_until_counted(service: RunningService, events: int, still: float = STILL_SECONDS) -> None:
    """Return when so many events are counted, or when the count stands still."""
    counted, moved = -1, time.monotonic()
    while counted < events and time.monotonic() < moved + still:
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
        return file.execute(ROWS).fetchall()


def _iso(moment: int) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(moment // 1000))
