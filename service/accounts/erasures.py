"""Users that are to be erased, and what stays known of those who are.

An erasure names its user until it is carried out; from then on only a digest of him is kept, by
which his events are known again where the stream is read once more (`service/erased.py`).
"""

import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import BigInteger, Column, Index, RowMapping, String, Table, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from service.accounts import audit
from service.accounts.audit import Actor
from service.accounts.credentials import now_ms
from service.database import Database, heard, metadata
from service.erased import Reach, digest_of_user
from service.errors import NotFound
from service.storage.protocol import Progress

MOST_LISTED = 500

erasures = Table(
    "erasures",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("environment_id", String(64), nullable=False),
    Column("digest", String(64), nullable=False),
    Column("user_id", String(128)),
    Column("asked_at", BigInteger, nullable=False),
    Column("stream", String(64), nullable=False),
    Column("sequence", BigInteger, nullable=False),
    Column("taken_at", BigInteger, nullable=False),
    Column("events", BigInteger, nullable=False),
    Column("versions", BigInteger, nullable=False),
    Column("dead_letters", BigInteger, nullable=False),
    Column("unreadable_letters", BigInteger, nullable=False),
    Column("erased_at", BigInteger, index=True),
    Index("ix_erasures_environment_id_digest", "environment_id", "digest"),
)


@dataclass(frozen=True, slots=True)
class Erasure:
    """One user who is to be erased, or was. Times in ms since 1970 UTC."""

    id: str
    tenant: str
    digest: str
    user_id: str | None
    """Who it is; None once he is erased."""
    asked_at: int
    erased_at: int | None
    events: int
    """How many events of his were deleted."""
    versions: int
    """How many versions of his profile and attributes were."""
    dead_letters: int
    """How many messages that could not be read were his too, and were let go."""
    unreadable_letters: int
    """How many dead letters nobody can tell whose they are; they are still there."""


class Erasures:
    """The erasures of all environments. Everything raises AccountsUnavailable."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def ask(self, tenant: str, user_id: str, by: Actor) -> Erasure:
        """Have a user erased; the erasure that waits already, if there is one."""
        with heard():
            async with self._database.writing() as connection:
                former = await _latest(connection, tenant, user_id)
                if former and former.erased_at is None:
                    return former
                asked = _new(tenant, user_id)
                await connection.execute(insert(erasures).values(**asked))
                await audit.note(connection, by, audit.CUSTOMER_ERASED, asked["id"], tenant)
        return await self.find(tenant, asked["id"])

    async def find(self, tenant: str, erasure_id: str) -> Erasure:
        """One erasure of an environment. Raises NotFound."""
        mine = (erasures.c.environment_id == tenant, erasures.c.id == erasure_id)
        with heard():
            async with self._database.reading() as connection:
                row = (await connection.execute(select(erasures).where(*mine))).mappings().first()
        if row is None:
            raise NotFound("there is no such erasure")
        return _erasure(row)

    async def latest_of(self, tenant: str, user_id: str) -> Erasure | None:
        """The last erasure of a user, if there is any."""
        with heard():
            async with self._database.reading() as connection:
                return await _latest(connection, tenant, user_id)

    async def latest(self, tenant: str) -> Sequence[Erasure]:
        """The last `MOST_LISTED` of an environment, the newest first."""
        mine = select(erasures).where(erasures.c.environment_id == tenant)
        newest = mine.order_by(erasures.c.asked_at.desc(), erasures.c.id).limit(MOST_LISTED)
        with heard():
            async with self._database.reading() as connection:
                return [_erasure(row) for row in (await connection.execute(newest)).mappings()]

    async def waiting(self, most: int) -> Sequence[Erasure]:
        """The oldest that are to be carried out, of one environment."""
        oldest = select(erasures).where(erasures.c.erased_at.is_(None))
        oldest = oldest.order_by(erasures.c.asked_at, erasures.c.id).limit(most)
        with heard():
            async with self._database.reading() as connection:
                rows = (await connection.execute(oldest)).mappings().all()
        return [_erasure(row) for row in rows if row["environment_id"] == rows[0]["environment_id"]]

    async def reaches(self) -> Sequence[Reach]:
        """How far each erasure reaches."""
        with heard():
            async with self._database.reading() as connection:
                rows = (await connection.execute(select(*_REACH))).all()
        return [Reach(*row) for row in rows]

    async def begin(self, waiting: Sequence[Erasure], stored: Progress) -> Sequence[Reach]:
        """Have erasures reach over all that is stored; their reaches."""
        these = erasures.c.id.in_([erasure.id for erasure in waiting])
        place = (stored.stream_created, stored.sequence, stored.message_time)
        reached: dict[str, Any] = dict(zip(_PLACE, place, strict=True))
        with heard():
            async with self._database.writing() as connection:
                await connection.execute(update(erasures).where(these).values(**reached))
        return [Reach(e.tenant, e.digest, e.asked_at, **reached) for e in waiting]

    async def note(self, erasure: Erasure, **found: int) -> None:
        """Note what was found of a user; of what was noted before the larger numbers stay."""
        more = {name: max(number, getattr(erasure, name)) for name, number in found.items()}
        await self._set(erasure, **more)

    async def end(self, erasure: Erasure) -> None:
        """It is carried out: forget who it was."""
        await self._set(erasure, user_id=None, erased_at=now_ms())

    async def _set(self, erasure: Erasure, **values: Any) -> None:
        this = update(erasures).where(erasures.c.id == erasure.id)
        with heard():
            async with self._database.writing() as connection:
                await connection.execute(this.values(**values))


_PLACE = ("stream", "sequence", "taken_at")
_REACH = [erasures.c[name] for name in ("environment_id", "digest", "asked_at", *_PLACE)]


def _new(tenant: str, user_id: str) -> dict[str, Any]:
    return {
        "id": f"era_{secrets.token_hex(12)}",
        "environment_id": tenant,
        "digest": digest_of_user(tenant, user_id),
        "user_id": user_id,
        "asked_at": now_ms(),
        "stream": "",
        **dict.fromkeys(_NUMBERS, 0),
    }


_NUMBERS = ("sequence", "taken_at", "events", "versions", "dead_letters", "unreadable_letters")


async def _latest(connection: AsyncConnection, tenant: str, user_id: str) -> Erasure | None:
    his = (
        erasures.c.environment_id == tenant,
        erasures.c.digest == digest_of_user(tenant, user_id),
    )
    newest = select(erasures).where(*his).order_by(erasures.c.asked_at.desc()).limit(1)
    row = (await connection.execute(newest)).mappings().first()
    return _erasure(row) if row else None


def _erasure(row: RowMapping) -> Erasure:
    named = {name: row[name] for name in Erasure.__dataclass_fields__ if name != "tenant"}
    return Erasure(tenant=row["environment_id"], **named)
