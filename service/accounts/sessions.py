"""Sessions: who is signed in, until when, and with which rights. Each can be ended at any time."""

import secrets
import time
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import (
    BigInteger,
    Column,
    ColumnElement,
    ForeignKey,
    RowMapping,
    String,
    Table,
    and_,
    delete,
    func,
    insert,
    select,
    update,
)
from sqlalchemy.ext.asyncio import AsyncConnection

from service.accounts import audit
from service.accounts.audit import Actor
from service.accounts.environments import environments
from service.accounts.follower import Change, Follower
from service.accounts.keys import SCOPES, Principal
from service.accounts.tokens import Claims, Tokens
from service.accounts.users import OWNER, User, members, user_of, users
from service.database import Database, heard, metadata
from service.errors import Unauthenticated

SESSION_SECONDS = 24 * 3600

_KEPT_MS = 24 * 3600 * 1000
"""How long the row of a session stays after its end."""
_ROLES: Mapping[str, Collection[str]] = {OWNER: SCOPES}
"""What a member of an environment may do there, by role."""

sessions = Table(
    "sessions",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("user_id", ForeignKey("users.id"), nullable=False, index=True),
    Column("created_at", BigInteger, nullable=False),
    Column("expires_at", BigInteger, nullable=False),
    Column("revoked_at", BigInteger),
    Column("revision", BigInteger, nullable=False, index=True),
)
"""`revision` grows with every change that verification must hear of (see `Follower`)."""


@dataclass(frozen=True, slots=True)
class SignedIn:
    """A user who is signed in, and what he may do in the environment where he works."""

    session_id: str
    user: User
    principal: Principal
    expires_at: int
    """In ms since 1970 UTC."""

    def actor(self, address: str) -> Actor:
        """Who calls from this address, for the audit log."""
        return self.principal.actor(address)


class Sessions:
    """The sessions. Safe to use from many tasks; other processes may change them at any time.

    A session ended anywhere is refused here within half a second; one begun anywhere is known at
    once. While the database does not answer, those known before go on for a minute.
    """

    def __init__(self, database: Database, tokens: Tokens) -> None:
        self._database = database
        self._tokens = tokens
        self._live = Follower(self._changes, is_over=_is_over)

    async def verify(self, token: str) -> SignedIn:
        """Who is signed in with this token. Raises Unauthenticated."""
        claims = self._tokens.read(token)
        found = await self._live.find(claims.session_id)
        if found is None or found.user.id != claims.user_id:
            raise Unauthenticated("this session has ended: sign in again")
        return found

    async def begin(self, connection: AsyncConnection, user: User, address: str = "") -> str:
        """Begin a session in the caller's transaction; its token, good once that is kept.

        `address` is where the user signs in from, for the audit log.
        """
        now = _now()
        claims = Claims(f"ses_{secrets.token_hex(16)}", user.id, now + SESSION_SECONDS * 1000)
        row = {"id": claims.session_id, "user_id": user.id, "created_at": now}
        row |= {"expires_at": claims.expires_at, "revision": await _next_revision(connection)}
        await connection.execute(insert(sessions).values(**row))
        # Never the newest row: the next revision is counted from it.
        await connection.execute(delete(sessions).where(sessions.c.expires_at < now - _KEPT_MS))
        by = Actor("user", user.id, user.email, address)
        subject, tenant = claims.session_id, user.environment_id
        await audit.note(connection, by, audit.SESSION_BEGUN, subject, tenant)
        return self._tokens.issue(claims)

    async def end(self, session: SignedIn, address: str = "") -> None:
        """End a session for good, as its user wishes; one that has ended stays as it is.

        Raises AccountsUnavailable.
        """
        by, subject = session.actor(address), session.session_id
        with heard():
            async with self._database.writing() as connection:
                if await _end(connection, sessions.c.id == subject):
                    tenant = session.principal.tenant
                    await audit.note(connection, by, audit.SESSION_ENDED, subject, tenant)
        await self._live.read_again()

    async def close(self) -> None:
        """Return when nothing is under way any more."""
        await self._live.close()

    async def _changes(self, revision: int) -> Sequence[Change[SignedIn]]:
        here = and_(
            members.c.user_id == users.c.id, members.c.environment_id == users.c.environment_id
        )
        changed = (
            select(sessions, users, members.c.role, environments.c.tier)
            .join(users, users.c.id == sessions.c.user_id)
            .join(environments, environments.c.id == users.c.environment_id)
            .outerjoin(members, here)
            .where(sessions.c.revision > revision, sessions.c.expires_at > _now())
        )
        async with self._database.reading() as connection:
            rows = (await connection.execute(changed)).mappings().all()
        return [_change(row) for row in rows]


async def end_all(database: Database, user: User, by: Actor = audit.SERVICE) -> int:
    """End every session of a user; how many there were."""
    live = and_(sessions.c.user_id == user.id, sessions.c.expires_at > _now())
    async with database.writing() as connection:
        ended = await _end(connection, live)
        tenant = user.environment_id
        await audit.note(connection, by, audit.SESSIONS_ENDED, user.email, tenant, sessions=ended)
    return ended


async def _end(connection: AsyncConnection, these: ColumnElement[bool]) -> int:
    ended = await connection.execute(
        update(sessions)
        .where(these, sessions.c.revoked_at.is_(None))
        .values(revoked_at=_now(), revision=await _next_revision(connection))
    )
    return ended.rowcount


def _change(row: RowMapping) -> Change[SignedIn]:
    session_id = row[sessions.c.id]
    live = row["revoked_at"] is None
    return Change(session_id, session_id, _signed_in(row) if live else None, row["revision"])


def _signed_in(row: RowMapping) -> SignedIn:
    user = user_of(row)
    scopes = frozenset(_ROLES.get(row["role"], ()))
    session_id = row[sessions.c.id]
    principal = Principal(
        user.environment_id,
        scopes,
        session_id,
        user.email,
        row["tier"],
        kind="user",
        user_id=user.id,
        is_superuser=user.is_superuser,
    )
    return SignedIn(session_id, user, principal, row["expires_at"])


def _is_over(session: SignedIn) -> bool:
    return session.expires_at <= _now()


async def _next_revision(connection: AsyncConnection) -> int:
    """Grows in the order of commits, because transactions that write take turns."""
    found = await connection.execute(select(func.max(sessions.c.revision)))
    return (found.scalar() or 0) + 1


def _now() -> int:
    return time.time_ns() // 1_000_000
