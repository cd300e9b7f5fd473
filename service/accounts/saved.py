"""Questions that were given a name: kept for an environment, as their owners wrote them.

What a definition says is for those who ask it to know; here it is a text.
"""

import re
import secrets
from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import (
    BigInteger,
    Column,
    ForeignKey,
    RowMapping,
    String,
    Table,
    Text,
    UniqueConstraint,
    func,
    insert,
    select,
    update,
)
from sqlalchemy.ext.asyncio import AsyncConnection

from service.accounts import audit
from service.accounts.audit import Actor
from service.accounts.credentials import next_revision, now_ms
from service.accounts.follower import Change, Follower
from service.database import Database, heard, metadata
from service.errors import InvalidInput, NotFound

MOST_SAVED = 100
"""Of one environment: every process keeps all of them in memory."""
LARGEST_DEFINITION = 16 * 1024
"""Characters."""
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,99}")

saved_questions = Table(
    "saved_questions",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("environment_id", ForeignKey("environments.id"), nullable=False),
    Column("name", String(100), nullable=False),
    Column("definition", Text, nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Column("updated_at", BigInteger, nullable=False),
    Column("deleted_at", BigInteger),
    Column("revision", BigInteger, nullable=False, index=True),
    UniqueConstraint("environment_id", "name"),
)
"""One that was removed keeps its row, without its definition, so that every process hears of it
(see `Follower`); given anew, the name has the same row again."""


@dataclass(frozen=True, slots=True)
class Saved:
    """A question with a name. Times in ms since 1970 UTC."""

    environment_id: str
    name: str
    definition: str
    created_at: int
    updated_at: int


class SavedQuestions:
    """The saved questions. Safe to use from many tasks; other processes may change them too.

    A change made anywhere is heard here within half a second. Every method that asks the database
    raises AccountsUnavailable when it does not answer.
    """

    def __init__(self, database: Database, most: int = MOST_SAVED) -> None:
        self._database = database
        self._most = most
        self._known = Follower(self._changes)

    async def find(self, environment_id: str, name: str) -> Saved:
        """The question of this name, from memory. Raises NotFound."""
        found = await self._known.find(_mark(environment_id, name))
        if found is None:
            raise NotFound(f"there is no saved question {name[:100]}")
        return found

    async def list(self, environment_id: str) -> Sequence[Saved]:
        """All of an environment, by name."""
        mine = saved_questions.c.environment_id == environment_id
        asked = select(saved_questions).where(mine, _LIVE).order_by(saved_questions.c.name)
        with heard():
            async with self._database.reading() as connection:
                rows = await connection.execute(asked)
        return [_saved(row) for row in rows.mappings()]

    async def put(
        self, environment_id: str, name: str, definition: str, by: Actor = audit.SERVICE
    ) -> tuple[Saved, bool]:
        """Give the definition this name, in place of one that has it; and whether it is new.

        Raises InvalidInput for a name or size that will not do, and for one question too many.
        """
        check_saved(name, definition)
        with heard():
            async with self._database.writing() as connection:
                is_new = await place(connection, environment_id, name, definition, self._most)
                action = audit.SAVED_MADE if is_new else audit.SAVED_CHANGED
                await audit.note(connection, by, action, name, environment_id)
        await self._known.read_again()
        return await self.find(environment_id, name), is_new

    async def remove(self, environment_id: str, name: str, by: Actor = audit.SERVICE) -> None:
        """Take the name away. Raises NotFound."""
        with heard():
            async with self._database.writing() as connection:
                if (row := await _row(connection, environment_id, name)) is None or _gone(row):
                    raise NotFound(f"there is no saved question {name[:100]}")
                await _change(connection, row["id"], definition="", deleted_at=now_ms())
                await audit.note(connection, by, audit.SAVED_REMOVED, name, environment_id)
        await self._known.read_again()

    async def close(self) -> None:
        """Return when nothing is under way any more."""
        await self._known.close()

    async def _changes(self, revision: int) -> Sequence[Change[Saved]]:
        changed = select(saved_questions).where(saved_questions.c.revision > revision)
        async with self._database.reading() as connection:
            rows = (await connection.execute(changed)).mappings().all()
        return [_as_change(row) for row in rows]


_LIVE = saved_questions.c.deleted_at.is_(None)


async def place(
    connection: AsyncConnection,
    environment_id: str,
    name: str,
    definition: str,
    most: int = MOST_SAVED,
) -> bool:
    """Give the definition this name, in the caller's transaction; whether the name is new.

    Raises InvalidInput for one question too many.
    """
    now, row = now_ms(), await _row(connection, environment_id, name)
    is_new = row is None or _gone(row)
    if is_new:
        await _check_room(connection, environment_id, most)
    if row is not None:
        times = {"updated_at": now, **({"created_at": now} if is_new else {})}
        await _change(connection, row["id"], definition=definition, deleted_at=None, **times)
        return is_new
    made = {"id": f"svq_{secrets.token_hex(8)}", "environment_id": environment_id, "name": name}
    revision = await next_revision(connection, saved_questions)
    row_of = insert(saved_questions).values(
        **made, definition=definition, created_at=now, updated_at=now, revision=revision
    )
    await connection.execute(row_of)
    return True


def check_saved(name: str, definition: str) -> None:
    """Raises InvalidInput for a name or a size that will not do."""
    if not _NAME.fullmatch(name):
        raise InvalidInput(
            "a name has 1 to 100 letters, digits, _ and -, a letter or digit first", "name"
        )
    if len(definition) > LARGEST_DEFINITION:
        raise InvalidInput(f"a definition has at most {LARGEST_DEFINITION} characters")


async def _check_room(connection: AsyncConnection, environment_id: str, most: int) -> None:
    mine = saved_questions.c.environment_id == environment_id
    count = await connection.execute(select(func.count()).where(mine, _LIVE))
    if count.scalar_one() >= most:
        raise InvalidInput(f"an environment has at most {most} saved questions: remove one")


async def _row(connection: AsyncConnection, environment_id: str, name: str) -> RowMapping | None:
    mine = saved_questions.c.environment_id == environment_id
    one = select(saved_questions).where(mine, saved_questions.c.name == name)
    return (await connection.execute(one)).mappings().one_or_none()


async def _change(connection: AsyncConnection, row_id: str, **values: object) -> None:
    values["revision"] = await next_revision(connection, saved_questions)
    mine = update(saved_questions).where(saved_questions.c.id == row_id)
    await connection.execute(mine.values(**values))


def _gone(row: RowMapping) -> bool:
    return row["deleted_at"] is not None


def _as_change(row: RowMapping) -> Change[Saved]:
    live = None if _gone(row) else _saved(row)
    return Change(row["id"], _mark(row["environment_id"], row["name"]), live, row["revision"])


def _mark(environment_id: str, name: str) -> str:
    return f"{environment_id}/{name}"


def _saved(row: RowMapping) -> Saved:
    return Saved(**{field: row[field] for field in Saved.__slots__})
