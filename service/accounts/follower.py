"""A table's rows in memory, kept up with the table by the revision that each change gives its row.

Asking costs nothing while the copy is fresh, so strangers can neither fill memory nor keep the
database busy: whatever is asked for, the table is read at most once every `PACE` seconds.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from sqlalchemy.exc import SQLAlchemyError

from service.errors import AccountsUnavailable
from service.telemetry import accounts_failures, log

FRESH = 0.5
"""Seconds after which a row is not used before the table was read again."""
GRACE = 60.0
"""Seconds that rows go on being used while the database does not answer."""
PACE = 0.05
"""Seconds between two readings at least."""
READ_TIMEOUT = 2.0
"""Seconds after which a reading counts as failed."""
SWEEP = 60.0
"""Seconds between two looks for rows that are over."""

_SILENT = "the accounts' database does not answer"

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Change(Generic[T]):
    """A row as it is now; `row` is None when it may not be found any more."""

    id: str
    mark: str
    """What the row is found by."""
    row: T | None
    revision: int


class Follower(Generic[T]):
    """Finds rows by their mark, at most `FRESH` seconds behind the table.

    `read_changes(revision)` gives the rows changed after a revision, from 0 all of them. Rows go
    on being found for `grace` seconds while it fails. Those that are over are let go of some time.
    """

    def __init__(
        self,
        read_changes: Callable[[int], Awaitable[Sequence[Change[T]]]],
        grace: float = GRACE,
        is_over: Callable[[T], bool] = lambda _: False,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._clock = clock
        self._read_changes = read_changes
        self._grace = grace
        self._is_over = is_over
        self._swept_at = self._clock()
        self._rows: dict[str, T] = {}
        self._marks: dict[str, str] = {}
        self._revision = 0
        self._began_at = self._read_at = float("-inf")
        self._failed = False
        self._reading: asyncio.Task[None] | None = None

    async def find(self, mark: str) -> T | None:
        """The row of this mark; None when there was none at the time of asking.

        Raises AccountsUnavailable when the database has to be asked and does not answer.
        """
        row = self._rows.get(mark)
        asked = self._clock()
        age = asked - self._read_at
        if row is not None and age < (self._grace if self._failed else FRESH):
            if age > FRESH / 2:
                self._begin_reading()
            return row
        if not await self._read_since(asked) and (row is None or age >= self._grace):
            raise AccountsUnavailable(_SILENT)
        return self._rows.get(mark)

    async def find_by_id(self, row_id: str) -> T | None:
        """The row of this id, as `find` finds it by its mark."""
        mark = self._marks.get(row_id)
        if mark is None:
            await self.read_again()
            mark = self._marks.get(row_id, "")
        return await self.find(mark) if mark else None

    async def read_again(self) -> None:
        """Return when every change made before this call is known.

        Raises AccountsUnavailable when the database does not answer.
        """
        if not await self._read_since(self._clock()):
            raise AccountsUnavailable(_SILENT)

    async def close(self) -> None:
        """Return when nothing is being read any more."""
        if self._reading is not None:
            await self._reading

    async def _read_since(self, moment: float) -> bool:
        while self._read_at < moment:
            await asyncio.shield(self._begin_reading())
            if self._failed:
                return False
        return True

    def _begin_reading(self) -> asyncio.Task[None]:
        if self._reading is None or self._reading.done():
            self._reading = asyncio.create_task(self._read())
        return self._reading

    async def _read(self) -> None:
        await asyncio.sleep(max(0.0, self._began_at + PACE - self._clock()))
        self._began_at = self._clock()
        try:
            async with asyncio.timeout(READ_TIMEOUT):
                changes = await self._read_changes(self._revision)
        except (SQLAlchemyError, OSError) as error:
            self._fail(error)
            return
        for change in changes:
            self._apply(change)
        self._read_at = self._began_at
        self._failed = False
        if self._began_at > self._swept_at + SWEEP:
            self._sweep()

    def _fail(self, error: Exception) -> None:
        accounts_failures.inc()
        if not self._failed:
            log().warning("accounts.read_failed", error=repr(error), grace_seconds=self._grace)
        self._failed = True

    def _sweep(self) -> None:
        self._swept_at = self._began_at
        for row_id, mark in list(self._marks.items()):
            if self._is_over(self._rows[mark]):
                del self._rows[mark], self._marks[row_id]

    def _apply(self, change: Change[T]) -> None:
        former = self._marks.pop(change.id, None)
        if former is not None:
            self._rows.pop(former, None)
        if change.row is not None:
            self._rows[change.mark] = change.row
            self._marks[change.id] = change.mark
        self._revision = max(self._revision, change.revision)
