"""Service accounts: tokens of a user for his programs, each for one environment, until revoked."""

import secrets
from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import ColumnElement, RowMapping, and_, func, select

from service.accounts import audit
from service.accounts.callers import Caller
from service.accounts.names import check_name
from service.accounts.rights import current
from service.accounts.sessions import SERVICE_ACCOUNT, Sessions, end_sessions, is_live, sessions
from service.database import Database, heard
from service.errors import Conflict, InvalidInput, NotFound

MOST = 50
"""Live ones of a user."""
USUAL_DAYS = 365
LONGEST_DAYS = 3650


@dataclass(frozen=True, slots=True)
class ServiceAccount:
    """What may be told of one after its making. Times in ms since 1970 UTC."""

    id: str
    name: str
    environment_id: str
    created_at: int
    last_used_at: int | None
    """Written once a minute."""
    expires_at: int
    revoked_at: int | None


class ServiceAccounts:
    """The service accounts of a caller. Raises AccountsUnavailable."""

    def __init__(self, database: Database, sessions: Sessions) -> None:
        self._database = database
        self._sessions = sessions

    async def make(
        self, caller: Caller, name: str = "", days: int = USUAL_DAYS
    ) -> tuple[ServiceAccount, str]:
        """Make one for the environment that he speaks for; it, and its token, shown this once.

        Raises InvalidInput, NoEnvironment, NotFound, Conflict for one too many.
        """
        name = name or f"service account {secrets.token_hex(4)}"
        check_name(name)
        if not 1 <= days <= LONGEST_DAYS:
            raise InvalidInput(
                f"`expires_in_days` is a whole number from 1 to {LONGEST_DAYS}", "expires_in_days"
            )
        mine = and_(_of(caller), is_live())
        with heard():
            async with self._database.writing() as connection:
                environment_id = await current(connection, caller)
                live = await connection.execute(select(func.count()).where(mine))
                if live.scalar_one() >= MOST:
                    raise Conflict(f"a user has at most {MOST} service accounts: revoke one first")
                made_id, token = await self._sessions.add(
                    connection,
                    caller.user,
                    days * 86_400,
                    kind=SERVICE_ACCOUNT,
                    name=name,
                    environment_id=environment_id,
                )
                action, here = audit.SERVICE_ACCOUNT_MADE, (made_id, environment_id)
                await audit.note(connection, caller.by, action, *here, name=name, days=days)
                one = select(sessions).where(sessions.c.id == made_id)
                row = (await connection.execute(one)).mappings().one()
        return _account(row), token

    async def list(self, caller: Caller) -> Sequence[ServiceAccount]:
        """All of his, oldest first; those that ended stay in the list for a day past their time."""
        with heard():
            async with self._database.reading() as connection:
                rows = await connection.execute(
                    select(sessions)
                    .where(_of(caller))
                    .order_by(sessions.c.created_at, sessions.c.id)
                )
        return [_account(row) for row in rows.mappings()]

    async def revoke(self, caller: Caller, account_id: str) -> None:
        """End one for good; one revoked before stays as it is. Raises NotFound."""
        mine = and_(_of(caller), sessions.c.id == account_id)
        with heard():
            async with self._database.writing() as connection:
                found = await connection.execute(select(sessions.c.environment_id).where(mine))
                row = found.one_or_none()
                if row is None:
                    raise NotFound(f"there is no service account {account_id}")
                if await end_sessions(connection, mine):
                    action = audit.SERVICE_ACCOUNT_REVOKED
                    await audit.note(connection, caller.by, action, account_id, row[0])
        await self._sessions.hear()


def _of(caller: Caller) -> ColumnElement[bool]:
    return and_(sessions.c.user_id == caller.user.id, sessions.c.kind == SERVICE_ACCOUNT)


def _account(row: RowMapping) -> ServiceAccount:
    return ServiceAccount(**{field: row[field] for field in ServiceAccount.__slots__})
