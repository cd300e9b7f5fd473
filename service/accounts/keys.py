"""API keys: made, listed, revoked, verified. Only a key's SHA-256 is kept; it is shown once."""

import math
import re
import secrets
import time
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

from sqlalchemy import (
    BigInteger,
    Column,
    ForeignKey,
    RowMapping,
    String,
    Table,
    func,
    insert,
    or_,
    select,
    update,
)
from sqlalchemy.ext.asyncio import AsyncConnection

from service.accounts import audit
from service.accounts.audit import Actor
from service.accounts.environments import DEFAULT_ENVIRONMENT, environments
from service.accounts.follower import Change, Follower
from service.accounts.sealing import Sealing
from service.accounts.tiers import ENTERPRISE, TIERS, is_within
from service.accounts.uses import Uses
from service.database import Database, heard, metadata
from service.errors import (
    Forbidden,
    InvalidInput,
    InvalidKey,
    InvalidSignature,
    NotFound,
    SettingsError,
)
from service.telemetry import log

SCOPES = ("ingest", "read", "admin")
"""What a key may be allowed: send events, ask questions, manage keys."""

MOST_KEYS = 100
"""Live keys of one environment: every process keeps all of them in memory."""

BOOTSTRAP_ID = "key_bootstrap"
"""The id of the key that the setting HEADRACE_BOOTSTRAP_API_KEY gives."""

_SHOWN = 10
"""Most characters of a key that lists show, so that people recognise it; a quarter at most."""
_BOOTSTRAP_FORM = re.compile(r"[!-~]{8,200}")

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
class Principal:
    """Whom a valid key speaks for."""

    tenant: str
    scopes: frozenset[str]
    key_id: str
    name: str
    tier: str = ENTERPRISE
    kind: audit.Kind = "key"
    user_id: str = ""
    """Who is signed in; empty for a key."""
    is_superuser: bool = False

    def actor(self, address: str) -> Actor:
        """Who calls from this address, for the audit log."""
        return Actor(self.kind, self.user_id or self.key_id, self.name, address)


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
    expires_at: int | None
    revoked_at: int | None
    signs: bool
    """Whether it is good for signed requests alone."""


@dataclass(frozen=True, slots=True)
class NewKey:
    """A key just made, with what cannot be had again: its text, and its secret if it signs."""

    text: str
    key: Key
    signing_secret: str | None = None


@dataclass(frozen=True, slots=True)
class _Valid:
    """A key that verification accepts until it expires (ms since 1970 UTC)."""

    principal: Principal
    expires_at: float
    signs: bool


class Keys:
    """The API keys. Safe to use from many tasks; other processes may change them at any time.

    A key revoked anywhere is refused here within half a second; a key made anywhere is known at
    once. While the database does not answer, keys known before go on for a minute; after that,
    and for any other key at once, `verify` raises AccountsUnavailable. Without `sealing` no key
    can be made that signs.
    """

    def __init__(self, database: Database, sealing: Sealing | None = None) -> None:
        self._database = database
        self._sealing = sealing
        self._valid = Follower(self._changes)
        self._uses = Uses(database, api_keys)

    async def verify(self, text: str) -> Principal:
        """Whom the key speaks for.

        Raises InvalidKey for one unknown, expired or revoked; InvalidSignature for one that signs.
        """
        valid = await self._valid.find(_digest(text))
        if valid is None or _now() >= valid.expires_at:
            raise InvalidKey("the API key is unknown, expired or revoked")
        if valid.signs:
            raise InvalidSignature("this key signs requests; it is not sent with them")
        self._uses.note(valid.principal.key_id)
        return valid.principal

    async def create(
        self,
        name: str,
        scopes: Collection[str],
        *,
        tenant: str = DEFAULT_ENVIRONMENT,
        tier: str | None = None,
        expires_at: int | None = None,
        signs: bool = False,
        by: Actor = audit.SERVICE,
    ) -> NewKey:
        """Make a key; `expires_at` in ms since 1970 UTC. Without a `tier` it has its environment's.

        One that `signs` is good for signed requests alone, under the secret in the answer.

        Raises InvalidInput for a name, scopes or a tier that will not do, and for one key too many;
        Forbidden for a tier beyond the environment's; NotFound for an unknown environment.
        """
        _check(name, scopes, tier)
        text = f"evp_{secrets.token_urlsafe(32)}"
        row = _row(f"key_{secrets.token_hex(8)}", text, name, scopes)
        signing_secret = f"evs_{secrets.token_urlsafe(32)}" if signs else None
        async with self._database.writing() as connection:
            granted = await _granted(connection, tenant, tier)
            await _check_room(connection, tenant)
            row |= {"environment_id": tenant, "tier": granted, "expires_at": expires_at}
            row["signing_secret"] = self._sealed(row["id"], signing_secret)
            await connection.execute(
                insert(api_keys).values(**row, revision=await _next_revision(connection))
            )
            await audit.note(connection, by, audit.KEY_MADE, row["id"], tenant, **_told(row))
        return NewKey(text, await self._find(tenant, row["id"]), signing_secret)

    async def list(self, tenant: str = DEFAULT_ENVIRONMENT) -> Sequence[Key]:
        """All keys of an environment, revoked ones too, oldest first.

        Raises AccountsUnavailable.
        """
        mine = select(api_keys).where(api_keys.c.environment_id == tenant)
        with heard():
            async with self._database.reading() as connection:
                rows = await connection.execute(mine.order_by(api_keys.c.created_at, api_keys.c.id))
        return [key_of_row(row) for row in rows.mappings()]

    async def revoke(
        self, key_id: str, tenant: str = DEFAULT_ENVIRONMENT, by: Actor = audit.SERVICE
    ) -> Key:
        """End a key for good; one revoked before stays as it is.

        Raises NotFound when the environment has no key of this id; AccountsUnavailable.
        """
        with heard():
            async with self._database.writing() as connection:
                ended = await connection.execute(
                    update(api_keys)
                    .where(api_keys.c.id == key_id, api_keys.c.environment_id == tenant)
                    .where(api_keys.c.revoked_at.is_(None))
                    .values(revoked_at=_now(), revision=await _next_revision(connection))
                )
                if ended.rowcount:
                    await audit.note(connection, by, audit.KEY_REVOKED, key_id, tenant)
        await self._valid.read_again()
        return await self._find(tenant, key_id)

    async def ensure_bootstrap(self, text: str) -> None:
        """Make this text the one bootstrap key, with all scopes. An empty text changes nothing.

        Another text replaces the one before. A key that was revoked stays so, whatever the
        setting says. Raises SettingsError for a text that is no usable key.
        """
        if not text:
            return
        if not _BOOTSTRAP_FORM.fullmatch(text):
            raise SettingsError(
                "HEADRACE_BOOTSTRAP_API_KEY must be 8 to 200 visible ASCII characters"
            )
        async with self._database.writing() as connection:
            same = select(api_keys).where(api_keys.c.digest == _digest(text))
            found = (await connection.execute(same)).mappings().one_or_none()
            if found is None:
                await _replace_bootstrap(connection, text)
            elif found["revoked_at"] is not None:
                log().warning("accounts.bootstrap.revoked")

    async def close(self) -> None:
        """Write the last times of use, and return when nothing is under way any more."""
        await self._valid.close()
        await self._uses.close()

    def _sealed(self, key_id: str, secret: str | None) -> str | None:
        if secret is None:
            return None
        assert self._sealing, "opened without what seals secrets"
        return self._sealing.seal(secret.encode(), place_of(key_id))

    async def _find(self, tenant: str, key_id: str) -> Key:
        one = select(api_keys).where(api_keys.c.id == key_id, api_keys.c.environment_id == tenant)
        async with self._database.reading() as connection:
            row = (await connection.execute(one)).mappings().one_or_none()
        if row is None:
            raise NotFound(f"there is no key {key_id}")
        return key_of_row(row)

    async def _changes(self, revision: int) -> Sequence[Change[_Valid]]:
        changed = select(api_keys).where(api_keys.c.revision > revision)
        async with self._database.reading() as connection:
            rows = (await connection.execute(changed)).mappings().all()
        self._uses.write_in_time()
        return [
            Change(row["id"], row["digest"], _valid(key_of_row(row)), row["revision"])
            for row in rows
        ]


async def _replace_bootstrap(connection: AsyncConnection, text: str) -> None:
    row = _row(BOOTSTRAP_ID, text, "bootstrap", SCOPES)
    row |= {"revoked_at": None, "revision": await _next_revision(connection)}
    former = update(api_keys).where(api_keys.c.id == BOOTSTRAP_ID)
    action = audit.BOOTSTRAP_REPLACED
    if not (await connection.execute(former.values(**row))).rowcount:
        action = audit.KEY_MADE
        await connection.execute(insert(api_keys).values(**row))
    tenant = DEFAULT_ENVIRONMENT
    await audit.note(connection, audit.SERVICE, action, BOOTSTRAP_ID, tenant, **_told(row))


def _check(name: str, scopes: Collection[str], tier: str | None) -> None:
    if not 1 <= len(name) <= 128 or not name.isprintable():
        raise InvalidInput("a key's name has 1 to 128 printable characters", "name")
    if not scopes or not set(scopes) <= set(SCOPES):
        raise InvalidInput(f"scopes are some of {', '.join(SCOPES)}", "scopes")
    if tier is not None and tier not in TIERS:
        raise InvalidInput(f"a tier is one of {', '.join(TIERS)}", "tier")


async def _granted(connection: AsyncConnection, tenant: str, tier: str | None) -> str:
    """The tier that a key gets: the one asked for, or that of its environment."""
    mine = select(environments.c.tier).where(environments.c.id == tenant)
    largest = (await connection.execute(mine)).scalar_one_or_none()
    if largest is None:
        raise NotFound(f"there is no environment {tenant}")
    if tier is not None and not is_within(tier, largest):
        raise Forbidden(f"the keys of this environment have at most the tier {largest}")
    return tier or str(largest)


async def live_keys(connection: AsyncConnection, tenant: str) -> int:
    """How many keys of an environment are good now."""
    live = select(func.count()).where(
        api_keys.c.environment_id == tenant,
        api_keys.c.revoked_at.is_(None),
        or_(api_keys.c.expires_at.is_(None), api_keys.c.expires_at > _now()),
    )
    return (await connection.execute(live)).scalar_one()


async def _check_room(connection: AsyncConnection, tenant: str) -> None:
    if await live_keys(connection, tenant) >= MOST_KEYS:
        raise InvalidInput(f"an environment has at most {MOST_KEYS} keys: revoke one first")


def _row(key_id: str, text: str, name: str, scopes: Collection[str]) -> dict[str, Any]:
    return {
        "id": key_id,
        "environment_id": DEFAULT_ENVIRONMENT,
        "name": name,
        "prefix": text[: min(_SHOWN, len(text) // 4)],
        "digest": _digest(text),
        "scopes": ",".join(scope for scope in SCOPES if scope in scopes),
        "tier": ENTERPRISE,
        "created_at": _now(),
    }


def _told(row: Mapping[str, Any]) -> dict[str, Any]:
    """What the audit log says of a new key."""
    return {field: row.get(field) for field in ("name", "prefix", "scopes", "tier", "expires_at")}


def key_of_row(row: RowMapping) -> Key:
    return Key(
        id=row["id"],
        tenant=row["environment_id"],
        name=row["name"],
        prefix=row["prefix"],
        scopes=frozenset(row["scopes"].split(",")),
        tier=row["tier"],
        created_at=row["created_at"],
        last_used_at=row["last_used_at"],
        expires_at=row["expires_at"],
        revoked_at=row["revoked_at"],
        signs=row["signing_secret"] is not None,
    )


def _valid(key: Key) -> _Valid | None:
    if key.revoked_at is not None:
        return None
    until = math.inf if key.expires_at is None else key.expires_at
    return _Valid(principal_of(key), until, key.signs)


def principal_of(key: Key) -> Principal:
    """Whom a key speaks for."""
    return Principal(key.tenant, key.scopes, key.id, key.name, key.tier)


def place_of(key_id: str) -> str:
    """What the signing secret of a key is bound to."""
    return f"api_keys/{key_id}/signing_secret"


async def _next_revision(connection: AsyncConnection) -> int:
    """Grows in the order of commits, because transactions that write take turns."""
    found = await connection.execute(select(func.max(api_keys.c.revision)))
    return (found.scalar() or 0) + 1


def _digest(text: str) -> str:
    """What is kept of a key: with 256 random bits behind it, a fast digest is not guessed back.

    Keys are compared by it alone, so that how long a comparison takes tells nothing of a key.
    """
    return sha256(text.encode(errors="surrogatepass")).hexdigest()


def _now() -> int:
    return time.time_ns() // 1_000_000
