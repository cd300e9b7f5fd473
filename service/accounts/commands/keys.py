"""`headrace keys`: keys of any environment, made, listed, rotated and revoked."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import select

from service.accounts.commands.opened import environment_of, opened_accounts, operator
from service.accounts.commands.shown import Screen, day, state
from service.accounts.environments import DEFAULT_ENVIRONMENT
from service.accounts.governing import environment_called, id_called
from service.accounts.key_rows import Key, api_keys, key_of_row, written
from service.accounts.keys import Keys, NewKey
from service.accounts.sealing import Sealing
from service.database import Database
from service.settings import Settings


@dataclass(frozen=True, slots=True)
class WantedKey:
    """The key that a command makes. `expires_at` in ms since 1970 UTC."""

    name: str
    scopes: list[str]
    environment: str | None
    """Its id or name; None for the default one."""
    tier: str | None
    expires_at: int | None
    signs: bool


async def create_key(settings: Settings, wanted: WantedKey, sealing: Sealing) -> NewKey:
    """Make a key. Raises InvalidInput, NotFound, Forbidden as `Keys.create` does."""
    async with opened_accounts(settings) as database:
        environment = await environment_called(database, wanted.environment or DEFAULT_ENVIRONMENT)
        return await Keys(database, sealing).create(
            wanted.name,
            wanted.scopes,
            tenant=environment.id,
            tier=wanted.tier,
            expires_at=wanted.expires_at,
            signs=wanted.signs,
            by=operator(),
        )


async def list_keys(
    settings: Settings, environment: str | None, ended_too: bool, screen: Screen
) -> None:
    """Show the keys of an environment, of all with None; of those that ended only if asked."""
    async with opened_accounts(settings) as database:
        tenant = await id_called(database, environment)
        keys = [key for key in await _all(database) if tenant in (None, key.tenant)]
    live = [key for key in keys if ended_too or key.revoked_at is None]
    screen.show(live, _COLUMNS)


async def rotate_key(settings: Settings, key_id: str, grace: float, sealing: Sealing) -> NewKey:
    """Rotate a key. Raises NotFound, Conflict as `Keys.rotate` does."""
    async with opened_accounts(settings) as database:
        tenant = await environment_of(database, api_keys, "key", key_id)
        return await Keys(database, sealing).rotate(key_id, grace, tenant, operator())


async def revoke_key(settings: Settings, key_id: str) -> Key:
    """End a key for good; raises NotFound when there is none of this id."""
    async with opened_accounts(settings) as database:
        tenant = await environment_of(database, api_keys, "key", key_id)
        return await Keys(database).revoke(key_id, tenant, operator())


async def _all(database: Database) -> Sequence[Key]:
    order = (api_keys.c.created_at, api_keys.c.id)
    async with database.reading() as connection:
        rows = await connection.execute(select(api_keys).order_by(*order))
    return [key_of_row(row) for row in rows.mappings()]


_COLUMNS: Mapping[str, Callable[[Key], str]] = {
    "id": lambda key: key.id,
    "name": lambda key: key.name,
    "environment": lambda key: key.tenant,
    "begins": lambda key: f"{key.prefix}…",
    "scopes": lambda key: written(key.scopes),
    "tier": lambda key: key.tier,
    "created": lambda key: day(key.created_at),
    "last used": lambda key: day(key.last_used_at),
    "state": lambda key: state(key.revoked_at, key.expires_at),
}
