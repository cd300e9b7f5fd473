"""`headrace signing`: signing tokens of any environment, made, listed, rotated and revoked."""

from collections.abc import Callable, Mapping, Sequence

from service.accounts.commands.opened import environment_of, opened_accounts, operator
from service.accounts.commands.shown import Screen, day, state
from service.accounts.environments import DEFAULT_ENVIRONMENT, Environments
from service.accounts.governing import environment_called
from service.accounts.signing_tokens import (
    NewSigningToken,
    SigningToken,
    SigningTokens,
    Wanted,
    signing_tokens,
)
from service.database import Database
from service.settings import Settings


async def create_token(
    settings: Settings, wanted: Wanted, environment: str | None
) -> NewSigningToken:
    """Make a token for an environment, by its id or name, with None for the default one.

    Raises InvalidInput, NotFound.
    """
    async with opened_accounts(settings) as database:
        found = await environment_called(database, environment or DEFAULT_ENVIRONMENT)
        return await SigningTokens(database).create(wanted, found.id, operator())


async def list_tokens(
    settings: Settings, environment: str | None, revoked_too: bool, screen: Screen
) -> None:
    """Show the tokens of an environment, of all with None; revoked ones only if asked."""
    async with opened_accounts(settings) as database:
        tokens = await _tokens_of(database, environment)
    shown = [token for token in tokens if revoked_too or token.revoked_at is None]
    screen.show(shown, _COLUMNS)


async def rotate_token(settings: Settings, token_id: str, grace: float) -> NewSigningToken:
    """Rotate a token. Raises NotFound, Conflict as `SigningTokens.rotate` does."""
    async with opened_accounts(settings) as database:
        tenant = await environment_of(database, signing_tokens, "signing token", token_id)
        return await SigningTokens(database).rotate(token_id, tenant, grace, operator())


async def revoke_token(settings: Settings, token_id: str) -> SigningToken:
    """End a token for good; raises NotFound."""
    async with opened_accounts(settings) as database:
        tenant = await environment_of(database, signing_tokens, "signing token", token_id)
        return await SigningTokens(database).revoke(token_id, tenant, operator())


async def _tokens_of(database: Database, called: str | None) -> Sequence[SigningToken]:
    tokens = SigningTokens(database)
    if called:
        return await tokens.list((await environment_called(database, called)).id)
    everywhere = await Environments(database).list()
    return [token for each in everywhere for token in await tokens.list(each.id)]


_COLUMNS: Mapping[str, Callable[[SigningToken], str]] = {
    "id": lambda token: token.id,
    "name": lambda token: token.name,
    "environment": lambda token: token.environment_id,
    "account": lambda token: token.account_id,
    "workspace": lambda token: token.workspace_id,
    "begins": lambda token: f"{token.prefix}…",
    "scheme": lambda token: token.scheme or "any",
    "last used": lambda token: f"{day(token.last_used_at)} {token.last_scheme or ''}".strip(),
    "state": lambda token: state(token.revoked_at, token.expires_at),
}
