"""When rows of a table were used last: gathered in memory, written once a minute."""

import asyncio
import time
from typing import Any

from sqlalchemy import BigInteger, Table, Update, bindparam, or_, update
from sqlalchemy.exc import SQLAlchemyError

from service.database import Database
from service.telemetry import log

NOTE_SECONDS = 60.0
"""How often the times of last use are written."""


class Uses:
    """Times of last use (ms since 1970 UTC), for a `column` of a table with `id`.

    `more` names columns that are written with it. A process that dies loses those of the last
    minute.
    """

    def __init__(
        self,
        database: Database,
        table: Table,
        *more: str,
        column: str = "last_used_at",
        every: float = NOTE_SECONDS,
    ) -> None:
        self._database = database
        self._table = table
        self._more = more
        self._column = table.c[column]
        self._every = every
        self._used: dict[str, tuple[Any, ...]] = {}
        self._written_at = time.monotonic()
        self._writing: asyncio.Task[None] | None = None

    def note(self, row_id: str, *more: Any) -> None:
        """This row is being used; `more` are the values of the columns named so."""
        self._used[row_id] = (time.time_ns() // 1_000_000, *more)

    def write_in_time(self) -> None:
        """Begin to write them, if that is due."""
        if time.monotonic() > self._written_at + self._every:
            self._written_at = time.monotonic()
            self._writing = asyncio.create_task(self.write())

    async def write(self) -> None:
        """Write them now; what cannot be written is logged and let go."""
        used, self._used = self._used, {}
        if not used:
            return
        names = ("row", "at", *map(_bound, self._more))
        values = [dict(zip(names, (row, *use), strict=True)) for row, use in used.items()]
        try:
            async with self._database.writing() as connection:
                await connection.execute(self._statement(), values)
        except SQLAlchemyError as error:
            log().warning("accounts.uses_not_noted", error=repr(error))

    def _statement(self) -> Update:
        """Another process may have seen a later use."""
        at = bindparam("at", type_=BigInteger)
        earlier = or_(self._column.is_(None), self._column < at)
        changes = {self._column.name: at} | {name: bindparam(_bound(name)) for name in self._more}
        mine = update(self._table).where(self._table.c.id == bindparam("row"), earlier)
        return mine.values(**changes)

    async def close(self) -> None:
        """Write the last ones, and return when nothing is under way any more."""
        if self._writing is not None:
            await self._writing
        await self.write()


def _bound(column: str) -> str:
    """A column's name may not name a parameter too."""
    return f"{column}_then"
