"""What a caller may know of and change: asked of the database, in the transaction of the change.

What he does not belong to is not there for him. A superuser has the rights of an owner in every
environment; a service account has those of its user in its one environment, and knows no other.
"""

from sqlalchemy import ColumnElement, ScalarSelect, select, true
from sqlalchemy.ext.asyncio import AsyncConnection

from service.accounts.callers import Caller
from service.accounts.environments import Environment, environment_by_id
from service.accounts.memberships import OWNER, belonging
from service.accounts.users import users
from service.errors import Forbidden, NoEnvironment, NotFound


def visible(caller: Caller, environment_id: ColumnElement[str]) -> ColumnElement[bool]:
    """Whether the caller may know of an environment."""
    if caller.is_superuser:
        return true()
    mine = environment_id.in_(_environments_of(caller))
    return mine & (environment_id == caller.only) if caller.only else mine


async def role_in(connection: AsyncConnection, caller: Caller, environment_id: str) -> str:
    """The caller's role in an environment; raises NotFound where he has none."""
    known = select(belonging.c.role).where(
        belonging.c.environment_id == environment_id, belonging.c.user_id == caller.user.id
    )
    role = (await connection.execute(known)).scalar_one_or_none()
    if caller.only not in (None, environment_id) or (role is None and not caller.is_superuser):
        raise NotFound(f"there is no environment {environment_id}")
    return OWNER if caller.is_superuser else str(role)


async def known(connection: AsyncConnection, caller: Caller, environment_id: str) -> Environment:
    """An environment that the caller may know of; raises NotFound for any other."""
    await role_in(connection, caller, environment_id)
    return await environment_by_id(connection, environment_id)


async def owned(connection: AsyncConnection, caller: Caller, environment_id: str) -> Environment:
    """An environment that the caller may change; raises NotFound, and Forbidden for a member."""
    if await role_in(connection, caller, environment_id) != OWNER:
        raise Forbidden("only an owner of the environment may do this")
    return await environment_by_id(connection, environment_id)


async def current(connection: AsyncConnection, caller: Caller) -> str:
    """The environment that the caller speaks for: the one named, or where he works.

    Raises NotFound when he does not belong to it, NoEnvironment when there is none.
    """
    wanted = caller.named or caller.only or await _active(connection, caller)
    if wanted is None:
        raise NoEnvironment("you work in no environment: make one, or name one that you belong to")
    await known(connection, caller, wanted)
    return wanted


async def _active(connection: AsyncConnection, caller: Caller) -> str | None:
    """As the database has it: what the session remembers may be half a second old."""
    mine = select(users.c.environment_id).where(users.c.id == caller.user.id)
    return (await connection.execute(mine)).scalar_one_or_none()


def _environments_of(caller: Caller) -> ScalarSelect[str]:
    mine = select(belonging.c.environment_id).where(belonging.c.user_id == caller.user.id)
    return mine.scalar_subquery()
