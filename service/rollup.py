"""Keeps the rollups: partial sums of the stored rows, from which questions are answered fast.

Rows are rolled up in steps, each in one transaction with the position it reaches; whatever lies
beyond is read raw, so an answer is exact at any moment. Steps leave partials, and partials are
merged like the digits of a number in base eight, so that they stay few.
"""

import asyncio

from service.errors import Retryable
from service.storage.mark import Mark
from service.storage.protocol import EventStore, Statement
from service.telemetry import log, rollup_seconds

STEP_LEAST = 100_000
"""Rows beyond the rolled position that make a step worth its while."""
STEP_MOST = 500_000
"""Most rows in one step, by which its memory and duration are bounded."""
PARTIALS_MOST = 8
_PAUSE = 0.25
"""Seconds between looks for new rows."""

_MERGED = ("events_by_minute", "users_by_quarter", "users_by_day")
"""Tables of partial sums."""
_MERGE_VERBS = ("merge", "drop_merged")
_STEPS = (*_MERGED, "users", "sessions", "sessions_elsewhere", "partial", "position")
"""What a step does, in order: elsewhere is told from the homes that the sessions have by then."""


class Rollup:
    """Keeps the rollups of one store. One at a time may work on a store."""

    def __init__(self, store: EventStore, step_least: int = STEP_LEAST) -> None:
        self._store = store
        self._step_least = step_least
        self._working = asyncio.Lock()

    async def keep(self, mark: Mark) -> None:
        """Roll up what the writer stores until cancelled; a failure is logged and tried again."""
        while True:
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
        async with self._working:
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
                await self._take(rolled, step["position"])
            return int(step["events"])

    async def _take(self, rolled: int, upto: int) -> None:
        values = {"rolled": rolled, "upto": upto}
        await self._store.execute(*(Statement(f"roll_{step}", values) for step in _STEPS))

    async def merge_if_due(self) -> bool:
        """Merge the partials of the lowest level that has enough of them."""
        async with self._working:
            [due] = await self._store.fetch(Statement("rollup_due", {"enough": PARTIALS_MOST}))
            if not due.num_rows:
                return False
            values = {"level": due["level"][0].as_py()}
            names = (f"{verb}_{t}" for t in (*_MERGED, "partials") for verb in _MERGE_VERBS)
            await self._store.execute(*(Statement(name, values) for name in names))
            return True
