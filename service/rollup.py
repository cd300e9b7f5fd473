"""Keeps the rollups: partial sums of the stored rows, from which questions are answered fast.

Rows are rolled up in steps, each in one transaction with the position it reaches; whatever lies
beyond is read raw, so an answer is exact at any moment. Steps leave partials, and partials are
merged like the digits of a number in base eight, so that they stay few.

ClickHouse keeps the rollups itself, by views: there is nothing to do but to compare.
"""

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from service import crash
from service.errors import Retryable
from service.storage.mark import Mark
from service.storage.protocol import EventStore, Statement
from service.storage.statements import has_statement
from service.telemetry import log, rollup_mismatches, rollup_seconds

STEP_LEAST = 100_000
"""Rows beyond the rolled position that make a step worth its while."""
STEP_MOST = 500_000
"""Most rows in one step, by which its memory and duration are bounded."""
PARTIALS_MOST = 8
_PAUSE = 0.25
"""Seconds between looks for new rows."""

_MERGED = ("events_by_minute", "users_by_quarter", "users_by_day", "types_by_user")
"""Tables of partial sums."""
_MERGE_VERBS = ("merge", "drop_merged")
_STEPS = (*_MERGED, "sessions", "sessions_elsewhere", "partial", "position")
"""What a step does, in order: elsewhere is told from the homes that the sessions have by then."""

_BY_TIME = (*_MERGED, "sessions", "customers")
_BY_PART = ("homes", "ids", "places")
"""What `verify` compares, the rows cut by time or by their ids."""
_LOOKS = 10
_LOOK_AGAIN = 0.3
"""An engine without snapshots shows rows a moment before its rollups have them: what differs is
looked at again, so often and after so many seconds."""
_WINDOW_ROWS = 2_000_000
_PARTS = [{"part": part, "parts": 16} for part in range(16)]
_ALL_TIME = 2**62


@dataclass(frozen=True, slots=True)
class Finding:
    """One comparison: what it compared, what was expected and what was found."""

    name: str
    expected: object
    found: object

    @property
    def ok(self) -> bool:
        return self.expected == self.found


class Rollup:
    """Keeps the rollups of one store. One at a time may work on a store."""

    def __init__(self, store: EventStore, step_least: int = STEP_LEAST) -> None:
        self._store = store
        self._step_least = step_least
        self.alone = asyncio.Lock()
        """Held by whoever changes or compares rows and rollups in several steps."""
        self._by_engine = not has_statement("rollup_next", store.dialect)
        """Whether the engine keeps the rollups itself."""

    async def keep(self, mark: Mark) -> None:
        """Roll up what the writer stores until cancelled; a failure is logged and tried again.

        Returns at once where the engine does it.
        """
        while not self._by_engine:
            position = mark.progress.position
            try:
                while await self.roll():
                    await self.merge_if_due()
            except Retryable as error:
                log().warning("rollup.failed", error=str(error))
            await asyncio.sleep(_PAUSE)
            await mark.wait(position + 1, timeout=60)

    async def roll(self, least: int | None = None, most: int = STEP_MOST) -> int:
        """Take one step if at least `least` rows wait; the number of rows it took in."""
        if self._by_engine:
            return 0
        async with self.alone:
            [state] = await self._store.fetch(Statement("rollup_state", {}))
            rolled = state["position"][0].as_py()
            values = {"rolled": rolled, "most": most}
            [following] = await self._store.fetch(Statement("rollup_next", values))
            if not following.num_rows:
                return 0
            [step] = following.to_pylist()
            if step["events"] < (self._step_least if least is None else least):
                return 0
            with rollup_seconds.time():
                await self._take(rolled, step)
            return int(step["events"])

    async def _take(self, rolled: int, step: Mapping[str, int]) -> None:
        values = {"rolled": rolled, "upto": step["position"], "events": step["events"]}
        crash.point("rollup.before_commit")
        await self._store.execute(*(Statement(f"roll_{step}", values) for step in _STEPS))
        crash.point("rollup.after_commit")

    async def merge_if_due(self) -> bool:
        """Merge the partials of the lowest level that has enough of them."""
        if self._by_engine:
            return False
        async with self.alone:
            [due] = await self._store.fetch(Statement("rollup_due", {"enough": PARTIALS_MOST}))
            if not due.num_rows:
                return False
            values = {"level": due["level"][0].as_py()}
            names = (f"{verb}_{t}" for t in (*_MERGED, "partials") for verb in _MERGE_VERBS)
            await self._store.execute(*(Statement(name, values) for name in names))
            return True

    async def verify(self) -> list[Finding]:
        """Compare every rollup with the rows it was made from, and look for rows kept twice.

        Reads all rows, a few days or a part of the ids at a time, so that its memory is bounded.
        """
        async with self.alone:
            [days] = await self._store.fetch(Statement("verify_days", {}))
            windows = _windows(days.to_pylist())
            findings = [
                *[
                    f
                    for rollup in self._compared(_BY_TIME)
                    for f in await self._compare(rollup, windows)
                ],
                *[f for ids in self._compared(_BY_PART) for f in await self._compare(ids, _PARTS)],
            ]
        rollup_mismatches.inc(sum(not finding.ok for finding in findings))
        return findings

    def _compared(self, names: Sequence[str]) -> Iterator[str]:
        """Those that this store's engine has."""
        return (name for name in names if has_statement(f"verify_{name}", self._store.dialect))

    async def _compare(self, name: str, pieces: Sequence[Mapping[str, int]]) -> list[Finding]:
        expected = found = differing = 0
        for piece in pieces:
            row = await self._look(Statement(f"verify_{name}", piece))
            expected += row["expected"]
            found += row["found"]
            differing += row["differing"]
        return [Finding(name, expected, found), Finding(f"{name}: differing", 0, differing)]

    async def _look(self, comparison: Statement) -> dict[str, int]:
        for look in range(_LOOKS if self._by_engine else 1):
            if look:
                await asyncio.sleep(_LOOK_AGAIN)
            [table] = await self._store.fetch(comparison)
            row: dict[str, int] = table.to_pylist()[0]
            if not row["differing"]:
                break
        return row


def _windows(days: Sequence[Mapping[str, int]]) -> list[dict[str, int]]:
    """Stretches of whole days, of about `_WINDOW_ROWS` rows each, all of time together."""
    edges, rows = [-_ALL_TIME], 0
    for day in days:
        if rows and rows + day["events"] > _WINDOW_ROWS:
            edges.append(day["day"])
            rows = 0
        rows += day["events"]
    edges.append(_ALL_TIME)
    return [{"start": start, "end": end} for start, end in pairwise(edges)]
