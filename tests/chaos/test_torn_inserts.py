"""Inserts over sixty partitions, killed in the middle: what is torn is seen, and is made whole."""

import asyncio
import os
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from service.events import Event, pack
from service.storage.clickhouse import ClickHouseStore
from service.storage.clickhouse_chdb import InProcess
from service.storage.protocol import Progress, Statement
from service.stream.jetstream import open_jetstream
from service.stream.ledger import BUCKET, NatsLedger
from service.stream.nats_child import NatsChild
from tests.building import TENANT, a_batch

ROOT = Path(__file__).parents[2]
PARTITIONS = 60
MESSAGES, EVENTS = 2800, 50
MONTH = timedelta(days=30)
TORN = 5 if "HEADRACE_TEST_CHAOS_SECONDS" in os.environ else 2
"""Groups that are torn and made whole: more of them in `make chaos`."""
MOST_KILLS = 120
VIEWS = ("events_by_minute", "users_by_quarter", "users_by_day")


@dataclass(frozen=True)
class Counted:
    """Rows of the store, of its pending group, and what each view has counted."""

    rows: int
    pending: int | None
    """Where the pending group ends."""
    planned: int
    found: int
    views: tuple[int, ...]

    @property
    def torn(self) -> bool:
        """Whether part of a group is there: some of its rows, or rows that a view lacks."""
        return 0 < self.found < self.planned or any(view != self.rows for view in self.views)


class Tearing:
    """A broker with events on its stream, and writers that are killed while they insert."""

    def __init__(self, folder: Path, url: str, dice: random.Random, part: str) -> None:
        self._folder = folder
        self._url = url
        self._dice = dice
        self._part = part
        self.ids: set[str] = set()

    async def send(self) -> None:
        stream = await open_jetstream(self._url, 1 << 30, 120)
        for number in range(MESSAGES):
            events = [self._event(f"{number}-{n}") for n in range(EVENTS)]
            self.ids.update(event.event_id or "" for event in events)
            await stream.publish(TENANT, f"m{number}", pack(a_batch(*events)), 5)
        await stream.close()

    def _event(self, name: str) -> Event:
        months = self._dice.randrange(PARTITIONS)
        moment = datetime(2026, 1, 1, tzinfo=UTC) - months * MONTH
        return Event(
            event_id=name,
            event_type=self._dice.choice("abc"),
            user_id=f"user-{self._dice.randrange(1000)}",
            session_id="s",
            timestamp=moment + timedelta(seconds=self._dice.random() * 10**6),
        )

    def kill_one(self) -> bool:
        """Start a writer and kill it in an insert; False when it had nothing more to do.

        Most often in one of the third or fourth, so that what was torn before is whole by then.
        """
        spared = self._dice.choice((0, 2, 2, 3, 3))
        with self._writer() as writer:
            assert writer.stdout
            begun = (line for line in writer.stdout if line.startswith(b"begun"))
            for number, _ in enumerate(begun):
                if number == spared:
                    self._wait_for_first_parts()
                    writer.kill()
                    return True
            assert writer.wait() == 0
            return False

    def _wait_for_first_parts(self) -> None:
        """Return when some of an insert has been put in its place; at random a little later."""
        before, deadline = self._parts(), time.monotonic() + 2
        while self._parts() <= before and time.monotonic() < deadline:
            pass
        time.sleep(self._dice.random() * 0.01)

    def _parts(self) -> set[str]:
        """The parts of all tables that are in their places."""
        found = (self._folder / "store").glob("*/*/*_*_*_*")
        return {str(part) for part in found if not part.name.startswith("tmp")}

    def finish(self) -> None:
        with self._writer() as writer:
            writer.communicate(timeout=60)
            assert writer.returncode == 0

    def _writer(self) -> "subprocess.Popen[bytes]":
        command = [sys.executable, "-m", "tests.chaos.tearing", str(self._folder)]
        return subprocess.Popen([*command, self._url, self._part], stdout=subprocess.PIPE, cwd=ROOT)

    async def count(self) -> Counted:
        """What is there now, before anybody repairs it."""
        stream = await open_jetstream(self._url, 1 << 30, 120)
        ledger = NatsLedger(await stream.bucket(BUCKET))
        store = ClickHouseStore(await InProcess.open(self._folder), ledger, shared=False)
        try:
            await store.progress()
            pending = await store.pending()
            rows = await _rows(store, Progress(), 2**63 - 1)
            found = await _rows(store, pending.before, pending.after.position) if pending else 0
            window = {"start": -(2**62), "end": 2**62}
            views = await store.fetch(*(Statement(f"verify_{v}", window) for v in VIEWS))
            sums = tuple(view["found"][0].as_py() for view in views)
            place = pending.after.position if pending else None
            return Counted(rows, place, pending.rows if pending else 0, found, sums)
        finally:
            await store.close()
            await stream.close()


async def _rows(store: ClickHouseStore, before: Progress, until: int) -> int:
    place = {"after": before.position, "until": until}
    [table] = await store.fetch(Statement("rows_between", place))
    rows: int = table["rows"][0].as_py()
    return rows


@pytest.fixture
def disk() -> Iterator[Path]:
    """A folder on a disk. In memory, where tests may write, a repair once left rows out: what is
    open there is in docs/decisions/0006.
    """
    there = Path("/var/tmp")
    within = there if there.is_dir() else None
    with tempfile.TemporaryDirectory(prefix="headrace-torn-", dir=within) as folder:
        yield Path(folder)


@pytest.fixture
async def tearing(tmp_path, disk, dice):
    """Makes a road whose writers have this part broken, or none."""
    broker = NatsChild(tmp_path / "stream")
    await broker.start()

    async def make(part: str) -> Tearing:
        made = Tearing(disk / "events", broker.url, dice, part)
        await made.send()
        return made

    yield make
    await broker.stop()


async def tear(road: Tearing, groups: int) -> int:
    """Kill writers in their inserts until so many groups were left torn; how many were."""
    torn = set()
    for _ in range(MOST_KILLS):
        if len(torn) == groups or not await asyncio.to_thread(road.kill_one):
            break
        if (counted := await road.count()).torn:
            torn.add(counted.pending)
    return len(torn)


@pytest.mark.timeout(400)
async def test_torn_inserts_are_made_whole_with_every_view(tearing):
    road = await tearing("sound")
    assert await tear(road, TORN) == TORN
    await asyncio.to_thread(road.finish)
    events = len(road.ids)
    assert await road.count() == Counted(events, None, 0, 0, (events,) * len(VIEWS))


@pytest.mark.timeout(400)
@pytest.mark.parametrize("part", ["random-token", "highest-position"])
async def test_a_torn_insert_that_is_repaired_otherwise_leaves_a_difference(tearing, part):
    road = await tearing(part)
    assert await tear(road, 1) == 1
    await asyncio.to_thread(road.finish)
    counted = await road.count()
    assert set(counted.views) | {counted.rows} != {len(road.ids)}
