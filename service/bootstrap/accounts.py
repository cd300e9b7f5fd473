"""Accounts, opened: who may do what, and the desk where people sign in."""

from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path

from service.accounts.addresses import account_of
from service.accounts.codes import Codes
from service.accounts.environments import Environments
from service.accounts.keys import Keys
from service.accounts.saved import SavedQuestions
from service.accounts.sealing import Sealing
from service.accounts.sessions import Sessions
from service.accounts.sign_in import Desk
from service.accounts.signatures import Signatures
from service.accounts.signing_tokens import SigningTokens
from service.accounts.users import Users
from service.bootstrap.engines import mail_of, open_control, open_limits
from service.bootstrap.place import sealing_of, tokens_of
from service.database import Database, upgrade
from service.errors import InvalidInput, SettingsError
from service.pipelines.control.registry import Control
from service.pipelines.control.vault import Vault
from service.settings import Settings
from service.shared.nonces import Nonces
from service.telemetry import log


@dataclass(frozen=True)
class Accounts:
    database: Database
    environments: Environments
    sealing: Sealing
    keys: Keys
    signing_tokens: SigningTokens
    users: Users
    saved: SavedQuestions


async def open_accounts(settings: Settings, parts: AsyncExitStack) -> Accounts:
    database = await open_control(settings, parts)
    await upgrade(database)
    sealing = sealing_of(settings)
    environments, keys = Environments(database), Keys(database, sealing)
    parts.push_async_callback(keys.close)
    parts.push_async_callback(environments.close)
    signing_tokens = SigningTokens(database)
    parts.push_async_callback(signing_tokens.close)
    chosen = {"yes": True, "no": False, "auto": settings.on_loopback}
    await environments.ensure_default(chosen[settings.public_metrics])
    await keys.ensure_bootstrap(settings.bootstrap_api_key)
    users = Users(database, _owner(settings))
    saved = SavedQuestions(database)
    parts.push_async_callback(saved.close)
    return Accounts(database, environments, sealing, keys, signing_tokens, users, saved)


async def open_signatures(
    settings: Settings, parts: AsyncExitStack, accounts: Accounts, nonces: Nonces
) -> Signatures:
    opened = Signatures(accounts.database, accounts.sealing, nonces, settings.signing_window)
    parts.push_async_callback(opened.close)
    if again := await opened.seal_again():
        log().info("accounts.sealed_again", secrets=again)
    return opened


async def open_pipelines(settings: Settings, accounts: Accounts) -> Control:
    """What people change about pipelines; secrets sealed under a former key are sealed anew."""
    if again := await Vault(accounts.sealing).seal_again(accounts.database):
        log().info("pipelines.sealed_again", connectors=again)
    files = Path(settings.files_dir) if settings.files_dir else None
    return Control.over(accounts.database, accounts.sealing, settings.allow_private_targets, files)


def _owner(settings: Settings) -> str:
    try:
        return account_of(settings.owner_email) if settings.owner_email else ""
    except InvalidInput as error:
        raise SettingsError(f"HEADRACE_OWNER_EMAIL: {error}") from None


def open_desk(settings: Settings, parts: AsyncExitStack, accounts: Accounts, secret: bytes) -> Desk:
    sessions = Sessions(accounts.database, tokens_of(settings))
    parts.push_async_callback(sessions.close)
    limits = open_limits(settings, secret, parts)
    return Desk(Codes(secret), accounts.users, sessions, mail_of(settings), limits)
