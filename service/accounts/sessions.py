"""Sessions: who is signed in, until when, and with which rights. Each can be ended at any time.

A service account is a session too: one with a name, for one environment, until it is revoked.
"""

import secrets
import time
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import (
    BigInteger,
    Column,
    ColumnElement,
    RowMapping,
    Select,
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
from service.accounts.memberships import MEMBER, OWNER, belonging
from service.accounts.principals import SCOPES, Principal
from service.accounts.tokens import Claims, Tokens
from service.accounts.users import User, user_of, users
from service.accounts.uses import Uses
from service.database import Database, heard, metadata
from service.errors import NoEnvironment, NotFound, Unauthenticated

SESSION_MARK = "ses_"
"""How the id of a session begins."""

SESSION_SECONDS = 24 * 3600

PERSON = "user"
SERVICE_ACCOUNT = "service"

_KEPT_MS = 24 * 3600 * 1000
"""How long the row of a session stays after its end."""
_RIGHTS: Mapping[str, Collection[str]] = {OWNER: SCOPES, MEMBER: ("ingest", "read")}
"""What a member of an environment may do there, by role."""

sessions = Table(
    "sessions",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("user_id", String(36), nullable=False, index=True),
    Column("kind", String(16), nullable=False),
    Column("name", String(128), nullable=False),
    Column("environment_id", String(64)),
    Column("created_at", BigInteger, nullable=False),
    Column("last_used_at", BigInteger),
    Column("expires_at", BigInteger, nullable=False),
    Column("revoked_at", BigInteger),
    Column("revision", BigInteger, nullable=False, index=True),
)
"""A row outlives its user, so that verification hears of the end (see `Follower`): `revision`
grows with every change that it must hear of. `environment_id` is the one of a service account.
"""


@dataclass(frozen=True, slots=True)
class SignedIn:
    """A user who is signed in, and what he may do in each environment that he belongs to."""

    session_id: str
    user: User
    principals: Mapping[str, Principal]
    """By environment; of a service account its own alone."""
    expires_at: int
    """In ms since 1970 UTC."""
    only: str | None = None
    """The one environment of a service account; None for a person."""

    @property
    def principal(self) -> Principal:
        """For whom he speaks where he works now; raises NoEnvironment when that is nowhere."""
        return self.within(None)

    def within(self, environment_id: str | None) -> Principal:
        """For whom he speaks in an environment, with None in the one where he works now.

        Raises NotFound when he does not belong to it, NoEnvironment when he works nowhere.
        """
        wanted = environment_id or self.only or self.user.environment_id
        if found := self.principals.get(wanted or ""):
            return found
        if environment_id:
            raise NotFound(f"there is no environment {environment_id}")
        raise NoEnvironment("you work in no environment: make one, or name one that you belong to")

    def actor(self, address: str) -> Actor:
        """Who calls from this address, for the audit log."""
        kind: audit.Kind = "service" if self.only else "user"
        return Actor(kind, self.user.id, self.user.email, address)


class Sessions:
    """The sessions. Safe to use from many tasks; other processes may change them at any time.

    A session ended anywhere is refused here within half a second; one begun anywhere is known at
    once. While the database does not answer, those known before go on for a minute.
    """

    def __init__(self, database: Database, tokens: Tokens) -> None:
        self._database = database
        self._tokens = tokens
        self._live = Follower(self._changes, is_over=_is_over)
        self._uses = Uses(database, sessions)

    async def verify(self, token: str) -> SignedIn:
        """Who is signed in with this token. Raises Unauthenticated."""
        claims = self._tokens.read(token)
        found = await self._live.find(claims.session_id)
        if found is None or found.user.id != claims.user_id:
            raise Unauthenticated("this session has ended: sign in again")
        self._uses.note(found.session_id)
        return found

    async def still(self, session_id: str) -> SignedIn:
        """Who is signed in with a session that was accepted before; raises Unauthenticated."""
        found = await self._live.find(session_id)
        if found is None or _is_over(found):
            raise Unauthenticated("this session has ended: sign in again")
        return found

    async def begin(self, connection: AsyncConnection, user: User, address: str = "") -> str:
        """Begin a session in the caller's transaction; its token, good once that is kept.

        `address` is where the user signs in from, for the audit log.
        """
        session_id, token = await self.add(connection, user, SESSION_SECONDS, kind=PERSON, name="")
        by = Actor("user", user.id, user.email, address)
        await audit.note(connection, by, audit.SESSION_BEGUN, session_id, user.environment_id)
        return token

    async def add(
        self, connection: AsyncConnection, user: User, seconds: int, **values: Any
    ) -> tuple[str, str]:
        """Add a row with these values, for so long; its id, and the token that names it."""
        now = _now()
        claims = Claims(f"{SESSION_MARK}{secrets.token_hex(16)}", user.id, now + seconds * 1000)
        row = {"id": claims.session_id, "user_id": user.id, "created_at": now, **values}
        row |= {"expires_at": claims.expires_at, "revision": await _next_revision(connection)}
        await connection.execute(insert(sessions).values(**row))
        # Never the newest row: the next revision is counted from it.
        await connection.execute(delete(sessions).where(sessions.c.expires_at < now - _KEPT_MS))
        return claims.session_id, self._tokens.issue(claims)

    async def end(self, session: SignedIn, address: str = "") -> None:
        """End a session for good, as its user wishes; one that has ended stays as it is.

        Raises AccountsUnavailable.
        """
        by, subject = session.actor(address), session.session_id
        with heard():
            async with self._database.writing() as connection:
                if await end_sessions(connection, sessions.c.id == subject):
                    tenant = session.only or session.user.environment_id
                    await audit.note(connection, by, audit.SESSION_ENDED, subject, tenant)
        await self.hear()

    async def hear(self) -> None:
        """Return when every change made before this call is known. Raises AccountsUnavailable."""
        await self._live.read_again()

    async def close(self) -> None:
        """Return when nothing is under way any more."""
        await self._live.close()
        await self._uses.close()

    async def _changes(self, revision: int) -> Sequence[Change[SignedIn]]:
        changed = and_(sessions.c.revision > revision, sessions.c.expires_at > _now())
        those = select(sessions, users).outerjoin(users, users.c.id == sessions.c.user_id)
        async with self._database.reading() as connection:
            rows = (await connection.execute(those.where(changed))).mappings().all()
            roles = (await connection.execute(_roles_of(changed))).all() if rows else ()
        self._uses.write_in_time()
        theirs: dict[str, dict[str, tuple[str, str]]] = {}
        for user_id, environment_id, role, tier in roles:
            theirs.setdefault(user_id, {})[environment_id] = (role, tier)
        return [_change(row, theirs.get(row[sessions.c.user_id], {})) for row in rows]


async def end_all(database: Database, user: User, by: Actor = audit.SERVICE) -> int:
    """End every session of a user; how many there were."""
    async with database.writing() as connection:
        ended = await end_sessions(connection, sessions.c.user_id == user.id)
        tenant = user.environment_id
        await audit.note(connection, by, audit.SESSIONS_ENDED, user.email, tenant, sessions=ended)
    return ended


async def end_sessions(connection: AsyncConnection, *these: ColumnElement[bool]) -> int:
    """End those of these sessions that are live; how many there were."""
    ended = await connection.execute(
        update(sessions)
        .where(*these, is_live())
        .values(revoked_at=_now(), revision=await _next_revision(connection))
    )
    return ended.rowcount


def is_live() -> ColumnElement[bool]:
    """Whether a session has neither ended nor is past its time."""
    return and_(sessions.c.revoked_at.is_(None), sessions.c.expires_at > _now())


async def heed(connection: AsyncConnection, users_ids: Collection[str] | Select[Any]) -> None:
    """Have every process read the rights of these users again."""
    theirs = sessions.c.user_id.in_(users_ids)
    await connection.execute(
        update(sessions).where(theirs, is_live()).values(revision=await _next_revision(connection))
    )


async def heed_environment(connection: AsyncConnection, environment_id: str) -> None:
    """Have every process read again the rights of all who belong to an environment now."""
    theirs = select(belonging.c.user_id).where(belonging.c.environment_id == environment_id)
    await heed(connection, theirs)


def _roles_of(changed: ColumnElement[bool]) -> Select[Any]:
    """Role and tier in every environment of each user of the changed sessions."""
    whose = select(sessions.c.user_id).where(changed)
    return (
        select(
            belonging.c.user_id, belonging.c.environment_id, belonging.c.role, environments.c.tier
        )
        .join(environments, environments.c.id == belonging.c.environment_id)
        .where(belonging.c.user_id.in_(whose))
    )


def _change(row: RowMapping, roles: Mapping[str, tuple[str, str]]) -> Change[SignedIn]:
    session_id = row[sessions.c.id]
    live = row["revoked_at"] is None and row["is_active"]
    signed_in = _signed_in(row, roles) if live else None
    return Change(session_id, session_id, signed_in, row["revision"])


def _signed_in(row: RowMapping, roles: Mapping[str, tuple[str, str]]) -> SignedIn:
    user, session_id = user_of(row), row[sessions.c.id]
    only = row[sessions.c.environment_id]
    kind: audit.Kind = "service" if only else "user"
    principals = {
        tenant: Principal(
            tenant,
            frozenset(_RIGHTS[role]),
            session_id,
            user.email,
            tier,
            kind,
            user.id,
            is_superuser=user.is_superuser and not only,
        )
        for tenant, (role, tier) in roles.items()
        if only in (None, tenant)
    }
    return SignedIn(session_id, user, principals, row[sessions.c.expires_at], only)


def _is_over(session: SignedIn) -> bool:
    return session.expires_at <= _now()


async def _next_revision(connection: AsyncConnection) -> int:
    """Grows in the order of commits, because transactions that write take turns."""
    found = await connection.execute(select(func.max(sessions.c.revision)))
    return (found.scalar() or 0) + 1


def _now() -> int:
    return time.time_ns() // 1_000_000
