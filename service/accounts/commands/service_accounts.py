"""`headrace service-accounts`: tokens for programs that act for a user."""

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager

from service.accounts.addresses import account_of
from service.accounts.callers import Caller
from service.accounts.commands.opened import opened_accounts, operator
from service.accounts.commands.shown import Screen, day, state
from service.accounts.governing import id_called
from service.accounts.service_accounts import ServiceAccount, ServiceAccounts
from service.accounts.sessions import Sessions, SignedIn
from service.accounts.tokens import Tokens
from service.accounts.users import Users
from service.errors import NoEnvironment
from service.settings import Settings


async def create_service_account(
    settings: Settings, tokens: Tokens, email: str, environment: str | None, name: str, days: int
) -> tuple[ServiceAccount, str]:
    """Make one for a user and an environment of his (id or name); it, and its token.

    Raises InvalidInput, NotFound, NoEnvironment, Conflict.
    """
    async with _of_user(settings, tokens, email, environment) as (accounts, caller):
        try:
            return await accounts.make(caller, name, days)
        except NoEnvironment:
            where = f"{caller.user.email} works in no environment: name one with --environment"
            raise NoEnvironment(where) from None


async def list_service_accounts(
    settings: Settings, tokens: Tokens, email: str, revoked_too: bool, screen: Screen
) -> None:
    """Show those of a user; revoked ones only if asked. Raises NotFound."""
    async with _of_user(settings, tokens, email) as (accounts, caller):
        found = await accounts.list(caller)
    screen.show([one for one in found if revoked_too or one.revoked_at is None], _COLUMNS)


async def revoke_service_account(
    settings: Settings, tokens: Tokens, email: str, account_id: str
) -> None:
    """End one for good. Raises NotFound."""
    async with _of_user(settings, tokens, email) as (accounts, caller):
        await accounts.revoke(caller, account_id)


@asynccontextmanager
async def _of_user(
    settings: Settings, tokens: Tokens, email: str, environment: str | None = None
) -> AsyncIterator[tuple[ServiceAccounts, Caller]]:
    """The service accounts of a user, for whom the operator speaks."""
    async with opened_accounts(settings) as database:
        user = await Users(database).find(account_of(email))
        named = await id_called(database, environment)
        sessions = Sessions(database, tokens)
        try:
            yield (
                ServiceAccounts(database, sessions),
                Caller(SignedIn("", user, {}, 0), operator(), named),
            )
        finally:
            await sessions.close()


_COLUMNS: Mapping[str, Callable[[ServiceAccount], str]] = {
    "id": lambda account: account.id,
    "name": lambda account: account.name,
    "environment": lambda account: account.environment_id,
    "created": lambda account: day(account.created_at),
    "last used": lambda account: day(account.last_used_at),
    "state": lambda account: state(account.revoked_at, account.expires_at),
}
