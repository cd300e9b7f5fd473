"""Deletes what environments no longer keep: whole days (UTC) of event time, rows and rollups alike.

A day is deleted when it is older than the number of days that its environment keeps. On DuckDB a
piece of a few days is one transaction; ClickHouse deletes table by table, and what a crash leaves
is found in any of them and deleted the next time (docs/decisions/0008).
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from service import crash
from service.errors import Retryable
from service.events import now_ms
from service.rollup import Rollup
from service.storage.protocol import EventStore, Statement
from service.storage.statements import has_statement
from service.telemetry import events_expired, log

DAY = 86_400_000
PAUSE = 60.0
"""Seconds between looks: after so long a changed setting is heeded, and a late event expires."""
PIECE = 500_000
"""Events in one transaction, give or take a day, by which its memory and duration are bounded."""

_STEPS = (
    *("events", "events_by_minute", "users_by_quarter", "users_by_day", "types_by_user"),
    *("sessions_by_quarter", "sessions_elsewhere", "homes", "sessions", "homes_elsewhere"),
    "at_home",
)
"""What a deletion does, in order: a session finds its new home among what is left elsewhere."""

ReadDays = Callable[[], Awaitable[Mapping[str, int]]]
"""How many days each environment keeps that does not keep its events for ever."""
ReadGone = Callable[[], Awaitable[Sequence[str]]]
"""Which environments were deleted: what is known of their customers goes too."""


async def none_gone() -> Sequence[str]:
    """No environment was deleted."""
    return ()


@dataclass(frozen=True, slots=True)
class _Piece:
    """The events of some environments from before a moment."""

    tenants: Sequence[str]
    before: int
    events: int


class Retention:
    """Keeps one store to what its environments want kept. Several at once do no harm."""

    def __init__(
        self,
        store: EventStore,
        rollup: Rollup,
        read_days: ReadDays,
        clock: Callable[[], int] = now_ms,
        piece: int = PIECE,
        read_gone: ReadGone = none_gone,
    ) -> None:
        self._store = store
        self._rollup = rollup
        self._read_days = read_days
        self._clock = clock
        self._piece = piece
        self._read_gone = read_gone
        self._steps = [s for s in _STEPS if has_statement(f"expire_{s}", store.dialect)]
        self._in_pieces = not has_statement("free_expired", store.dialect)
        """Whether a piece is a transaction of its own; else one piece is all there is."""

    async def keep(self, pause: float = PAUSE) -> None:
        """Delete what expires until cancelled; a failure is logged and tried again."""
        while True:
            try:
                await self.expire()
                await self.forget_gone()
            except Retryable as error:
                log().warning("retention.failed", error=str(error))
            await asyncio.sleep(pause)

    async def expire(self) -> int:
        """Delete all that has expired by now; how many events that were."""
        due = _cuts(await self._read_days(), self._clock())
        expired = sum([await self._expire(tenants, before) for before, tenants in due])
        if expired:
            log().info("retention.expired", events=expired)
        return expired

    async def forget_gone(self) -> None:
        """Delete what is known of the customers of environments that were deleted."""
        if not (gone := await self._read_gone()):
            return
        [left] = await self._store.fetch(Statement("customers_of", {"tenants": list(gone)}))
        if tenants := left["tenant"].to_pylist():
            steps = [
                Statement(name, {"tenants": tenants})
                for name in ("expire_customers", "free_customers")
                if has_statement(name, self._store.dialect)
            ]
            await self._store.execute(*steps)
            log().info("retention.customers_forgotten", environments=len(tenants))

    async def _expire(self, tenants: Sequence[str], before: int) -> int:
        expired = 0
        while piece := await self._next(tenants, before):
            await self._delete(piece)
            events_expired.inc(piece.events)
            expired += piece.events
            if not self._in_pieces:
                await self._store.execute(Statement("free_expired", {}))
                break
        return expired

    async def _next(self, tenants: Sequence[str], before: int) -> _Piece | None:
        """The piece to delete next; None when there is none."""
        piece = await self._left(tenants, before)
        if piece is None or self._in_pieces:
            return piece
        [held] = await self._store.fetch(Statement("retention_held", {"tenants": tenants}))
        if held.num_rows and (day := held["day"][0].as_py()) < before:
            return await self._left(tenants, day)
        return piece

    async def _left(self, tenants: Sequence[str], before: int) -> _Piece | None:
        values = {"tenants": tenants, "before": before, "most": self._piece}
        [left] = await self._store.fetch(Statement("retention_next", values))
        return _Piece(tenants, **left.to_pylist()[0]) if left.num_rows else None

    async def _delete(self, piece: _Piece) -> None:
        values = {"tenants": piece.tenants, "before": piece.before}
        steps = [Statement(f"expire_{step}", values) for step in self._steps]
        async with self._rollup.alone:
            crash.point("retention.before_delete")
            for together in [steps] if self._in_pieces else [[step] for step in steps]:
                await self._store.execute(*together)
                crash.point("retention.after_delete")


def _cuts(days: Mapping[str, int], now: int) -> Iterator[tuple[int, Sequence[str]]]:
    """Moments before which everything is deleted, and the environments of which it is."""
    today = now - now % DAY
    for keep in sorted(set(days.values())):
        yield today - keep * DAY, sorted(t for t, kept in days.items() if kept == keep)
