"""The audit log as it is read, newest first and page by page; and as it is forgotten."""

import asyncio
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, RowMapping, delete, or_, select
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection

from service.accounts.audit import Actor, audit, note
from service.accounts.users import User
from service.database import Database, heard
from service.errors import InvalidInput
from service.telemetry import log

MOST = 500
"""Entries on one page."""
USUAL = 50
STRANGERS = 10_000
"""Entries of strangers that are kept: a flood of them pushes out older ones of theirs alone."""

_OF_ACCOUNTS = ("user.", "session.")
"""Actions whose subject is an account: they name it by its id, or by its address."""
_DAY_MS = 24 * 3600 * 1000
_PAUSE = 60.0
"""Seconds between two times of forgetting."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One change. `at` in ms since 1970 UTC."""

    number: int
    """Grows from entry to entry, over all environments."""
    id: str
    at: int
    environment_id: str | None
    by: Actor
    action: str
    subject: str
    details: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Asked:
    """Which entries are wanted; an empty text lets all of them. Times in ms since 1970 UTC."""

    environment_id: str | None
    """None: of all environments, and those that belong to none."""
    about: User | None = None
    """What this user did, and what was done to his account since he has had it; None: whatever."""
    action: str = ""
    """An action, or the beginning of several: `key.made`, `key.`."""
    actor: str = ""
    """Id or name of who did it, exactly."""
    since: int | None = None
    until: int | None = None
    """Up to before this moment."""
    limit: int = USUAL
    cursor: str = ""
    """The id of an entry: what is older than it."""


@dataclass(frozen=True, slots=True)
class Page:
    """Entries, newest first; `next` is the cursor of the page after this one, if there is one."""

    entries: Sequence[Entry]
    next: str | None


class AuditLog:
    """The audit log of this installation.

    Entries are kept for `days`, with 0 for ever; of those of strangers the newest so many.
    """

    def __init__(self, database: Database, days: int, strangers: int = STRANGERS) -> None:
        self._database = database
        self._days = days
        self._strangers = strangers

    async def page(self, asked: Asked) -> Page:
        """The newest entries that are wanted.

        Raises InvalidInput for a cursor that is none; AccountsUnavailable.
        """
        with heard():
            async with self._database.reading() as connection:
                wanted = select(audit).where(*_conditions(asked))
                if asked.cursor:
                    wanted = wanted.where(audit.c.number < await _place(connection, asked))
                newest = wanted.order_by(audit.c.number.desc()).limit(asked.limit + 1)
                rows = (await connection.execute(newest)).mappings().all()
        entries = [_entry(row) for row in rows[: asked.limit]]
        return Page(entries, entries[-1].id if len(rows) > asked.limit else None)

    async def newer(self, number: int, asked: Asked) -> Sequence[Entry]:
        """What was noted after the entry of this number, oldest first.

        Raises AccountsUnavailable.
        """
        wanted = select(audit).where(audit.c.number > number, *_conditions(asked))
        with heard():
            async with self._database.reading() as connection:
                oldest = wanted.order_by(audit.c.number).limit(asked.limit)
                rows = (await connection.execute(oldest)).mappings().all()
        return [_entry(row) for row in rows]

    async def note(
        self, by: Actor, action: str, subject: str, environment_id: str, **details: Any
    ) -> None:
        """Note what is done outside of this database, before it is. Raises AccountsUnavailable."""
        with heard():
            async with self._database.writing() as connection:
                await note(connection, by, action, subject, environment_id, **details)

    async def keep(self, pause: float = _PAUSE) -> None:
        """Forget what is not kept any more until cancelled; a failure is logged and tried again."""
        while True:
            try:
                await self.forget()
            except (SQLAlchemyError, OSError) as error:
                log().warning("audit.not_forgotten", error=repr(error))
            await asyncio.sleep(pause)

    async def forget(self) -> int:
        """Delete what is too old, and what strangers left beyond `STRANGERS`; how much."""
        async with self._database.writing() as connection:
            over = await _last_stranger_too_many(connection, self._strangers)
            gone = await _delete(connection, audit.c.number <= over, _BY_STRANGERS)
            if self._days:
                gone += await _delete(connection, audit.c.at < _now() - self._days * _DAY_MS)
        return gone


_BY_STRANGERS = audit.c.actor_kind == "nobody"


async def _last_stranger_too_many(connection: AsyncConnection, kept: int) -> int:
    """The number of the newest entry of strangers that is not kept; 0 when there is none."""
    newest = select(audit.c.number).where(_BY_STRANGERS).order_by(audit.c.number.desc())
    found = await connection.execute(newest.offset(kept).limit(1))
    return found.scalar_one_or_none() or 0


async def _delete(connection: AsyncConnection, *these: ColumnElement[bool]) -> int:
    return (await connection.execute(delete(audit).where(*these))).rowcount


async def _place(connection: AsyncConnection, asked: Asked) -> int:
    """The number of the entry that the cursor names, where the asker may see it."""
    mine = select(audit.c.number).where(audit.c.id == asked.cursor, *_visible(asked))
    found: int | None = (await connection.execute(mine)).scalar_one_or_none()
    if found is None:
        raise InvalidInput("`cursor` is not the `nextCursor` of a page of these", "cursor")
    return found


def _visible(asked: Asked) -> Iterator[ColumnElement[bool]]:
    """What the asker may see, whatever he wants of it."""
    if asked.environment_id is not None:
        yield audit.c.environment_id == asked.environment_id
    if asked.about is not None:
        yield _about(asked.about)


def _about(user: User) -> ColumnElement[bool]:
    """An address may have been another's before: what was done then is not his to know."""
    did = audit.c.actor_id == user.id
    to_him = audit.c.subject.in_([user.id, user.email]) & (audit.c.at >= user.created_at)
    return did | (to_him & or_(*(audit.c.action.startswith(of) for of in _OF_ACCOUNTS)))


def _conditions(asked: Asked) -> Iterator[ColumnElement[bool]]:
    yield from _visible(asked)
    if asked.action:
        yield audit.c.action.startswith(asked.action, autoescape=True)
    if asked.actor:
        yield or_(audit.c.actor_id == asked.actor, audit.c.actor_name == asked.actor)
    if asked.since is not None:
        yield audit.c.at >= asked.since
    if asked.until is not None:
        yield audit.c.at < asked.until


def _entry(row: RowMapping) -> Entry:
    by = Actor(row["actor_kind"], row["actor_id"], row["actor_name"], row["address"])
    rest = {name: row[name] for name in Entry.__slots__ if name != "by"}
    return Entry(by=by, **rest)


def _now() -> int:
    return time.time_ns() // 1_000_000
