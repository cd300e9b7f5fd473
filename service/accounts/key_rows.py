"""The table of API keys: what its rows mean, and what may be written into them."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import (
    BigInteger,
    Column,
    ForeignKey,
    RowMapping,
    String,
    Table,
    insert,
    select,
)
from sqlalchemy.ext.asyncio import AsyncConnection

from service.accounts.credentials import (
    digest_of,
    ends_at,
    live_in,
    next_revision,
    now_ms,
    set_row,
    shown,
)
from service.accounts.environments import DEFAULT_ENVIRONMENT, environments
from service.accounts.names import check_name
from service.accounts.principals import SCOPES, Principal
from service.accounts.tiers import ENTERPRISE, TIERS, is_within
from service.database import metadata
from service.errors import Conflict, Forbidden, InvalidInput, NotFound

MOST_KEYS = 100
"""Live keys of one environment: every process keeps all of them in memory."""

BOOTSTRAP_ID = "key_bootstrap"
"""The id of the key that the setting HEADRACE_BOOTSTRAP_API_KEY gives."""

api_keys = Table(
    "api_keys",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("environment_id", ForeignKey("environments.id"), nullable=False),
    Column("name", String(128), nullable=False),
    Column("prefix", String(16), nullable=False),
    Column("digest", String(64), nullable=False, unique=True),
    Column("scopes", String(64), nullable=False),
    Column("tier", String(32), nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Column("last_used_at", BigInteger),
    Column("last_refused_at", BigInteger),
    Column("expires_at", BigInteger),
    Column("revoked_at", BigInteger),
    Column("successor_id", String(64)),
    Column("revision", BigInteger, nullable=False, index=True),
    Column("signing_secret", String(200)),
)
"""`revision` grows with every change that verification must hear of (see `Follower`).

`signing_secret` is sealed, and there for a key that has to sign.
"""


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a key shall be good for. `expires_at` in ms since 1970 UTC."""

    name: str
    scopes: Collection[str]
    tenant: str = DEFAULT_ENVIRONMENT
    tier: str = ENTERPRISE
    expires_at: int | None = None
    signs: bool = False


@dataclass(frozen=True, slots=True)
class Key:
    """What may be told of a key after its creation. Times in ms since 1970 UTC."""

    id: str
    tenant: str
    name: str
    prefix: str
    scopes: frozenset[str]
    tier: str
    created_at: int
    last_used_at: int | None
    """Written once a minute."""
    last_refused_at: int | None
    """When it was last brought after its end; written once a minute."""
    expires_at: int | None
    revoked_at: int | None
    successor_id: str | None
    """The key that this one was rotated into."""
    signs: bool
    """Whether it is good for signed requests alone."""

    @property
    def ends_at(self) -> float:
        """From when on it is refused; infinite for one that never is."""
        return ends_at(self.revoked_at, self.expires_at)


def key_of_row(row: RowMapping) -> Key:
    """What a row of the table tells."""
    same = {field: row[field] for field in Key.__slots__ if field in row}
    scopes, signs = frozenset(row["scopes"].split(",")), row["signing_secret"] is not None
    return Key(**same | {"tenant": row["environment_id"], "scopes": scopes, "signs": signs})


def principal_of(key: Key) -> Principal:
    """Whom a key speaks for."""
    return Principal(key.tenant, key.scopes, key.id, key.name, key.tier)


def place_of(key_id: str) -> str:
    """What the signing secret of a key is bound to."""
    return f"api_keys/{key_id}/signing_secret"


def check_key(name: str, scopes: Collection[str], tier: str | None) -> None:
    """Raises InvalidInput for a name, scopes or a tier that will not do."""
    check_name(name)
    if not scopes or not set(scopes) <= set(SCOPES):
        raise InvalidInput(f"scopes are some of {', '.join(SCOPES)}", "scopes")
    if tier is not None and tier not in TIERS:
        raise InvalidInput(f"a tier is one of {', '.join(TIERS)}", "tier")


def written(scopes: Collection[str]) -> str:
    """Scopes as a row holds them."""
    return ",".join(scope for scope in SCOPES if scope in scopes)


def new_row(key_id: str, text: str, wanted: Wanted) -> dict[str, Any]:
    """The row of a new key, but for its secret and its revision."""
    return {
        "id": key_id,
        "environment_id": wanted.tenant,
        "name": wanted.name,
        "prefix": shown(text),
        "digest": digest_of(text),
        "scopes": written(wanted.scopes),
        "tier": wanted.tier,
        "created_at": now_ms(),
        "expires_at": wanted.expires_at,
    }


def told(row: Mapping[str, Any]) -> dict[str, Any]:
    """What the audit log says of a new key."""
    return {field: row[field] for field in ("name", "prefix", "scopes", "tier", "expires_at")}


async def add(connection: AsyncConnection, row: Mapping[str, Any]) -> None:
    """Add a row. Raises InvalidInput when its environment has as many live keys as it may."""
    if await live_in(connection, api_keys, row["environment_id"]) >= MOST_KEYS:
        raise InvalidInput(f"an environment has at most {MOST_KEYS} keys: revoke one first")
    revision = await next_revision(connection, api_keys)
    await connection.execute(insert(api_keys).values(**row, revision=revision))


async def find(connection: AsyncConnection, tenant: str, key_id: str) -> Key:
    """The key of this id; raises NotFound when the environment has none."""
    one = select(api_keys).where(api_keys.c.id == key_id, api_keys.c.environment_id == tenant)
    row = (await connection.execute(one)).mappings().one_or_none()
    if row is None:
        raise NotFound(f"there is no key {key_id}")
    return key_of_row(row)


async def changeable(connection: AsyncConnection, tenant: str, key_id: str) -> Key:
    """As `find`. Raises Conflict for a key that has ended, or that a setting gives."""
    key = await find(connection, tenant, key_id)
    if key.id == BOOTSTRAP_ID:
        raise Conflict("this key is what HEADRACE_BOOTSTRAP_API_KEY says: change that")
    if key.ends_at <= now_ms():
        raise Conflict("the key has expired or was revoked: make a new one")
    return key


async def granted(connection: AsyncConnection, tenant: str, tier: str | None) -> str:
    """The tier that a key gets: the one asked for, or that of its environment.

    Raises NotFound for an unknown environment, Forbidden for a tier beyond the environment's.
    """
    mine = select(environments.c.tier).where(environments.c.id == tenant)
    largest = (await connection.execute(mine)).scalar_one_or_none()
    if largest is None:
        raise NotFound(f"there is no environment {tenant}")
    if tier is not None and not is_within(tier, largest):
        raise Forbidden(f"the keys of this environment have at most the tier {largest}")
    return tier or str(largest)


async def lower(connection: AsyncConnection, tenant: str, tier: str) -> int:
    """Give this tier to all keys of an environment that have a larger one; how many had."""
    larger = [each for each in TIERS if not is_within(each, tier)]
    theirs = select(api_keys.c.id).where(
        api_keys.c.environment_id == tenant, api_keys.c.tier.in_(larger)
    )
    found = list((await connection.execute(theirs)).scalars())
    for key_id in found:
        await set_row(connection, api_keys, key_id, tier=tier)
    return len(found)
