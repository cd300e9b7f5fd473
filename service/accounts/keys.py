"""API keys: made, changed, rotated, revoked, verified. A key is shown once; its digest is kept."""

import re
import secrets
from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from sqlalchemy import insert, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from service.accounts import audit, key_rows
from service.accounts.audit import Actor
from service.accounts.credentials import (
    REMEMBERED_MS,
    USUAL_GRACE,
    digest_of,
    end_after,
    lives_as_long,
    new_text,
    next_revision,
    now_ms,
    set_row,
)
from service.accounts.environments import DEFAULT_ENVIRONMENT
from service.accounts.follower import Change, Follower
from service.accounts.key_rows import (
    BOOTSTRAP_ID,
    Key,
    Wanted,
    api_keys,
    key_of_row,
    place_of,
)
from service.accounts.principals import Principal
from service.accounts.sealing import Sealing
from service.accounts.uses import Uses
from service.database import Database, heard
from service.errors import (
    AccountsUnavailable,
    Conflict,
    InvalidKey,
    InvalidSignature,
    SettingsError,
)
from service.telemetry import keys_refused, log

BOOTSTRAP_SCOPES = ("ingest", "read", "admin")
_BOOTSTRAP_FORM = re.compile(r"[!-~]{8,200}")


@dataclass(frozen=True, slots=True)
class NewKey:
    """A key just made, with what cannot be had again: its text, and its secret if it signs."""

    text: str
    key: Key
    signing_secret: str | None = None


@dataclass(frozen=True, slots=True)
class _Known:
    """A key that is accepted until it ends (ms since 1970 UTC), and known a while longer."""

    principal: Principal
    ends_at: float
    signs: bool


class Keys:
    """The API keys. Safe to use from many tasks; other processes may change them at any time.

    A key revoked anywhere is refused here within half a second; a key made anywhere is known at
    once. While the database does not answer, keys known before go on for a minute; after that,
    and for any other key at once, `verify` raises AccountsUnavailable, as all other methods do.
    Without `sealing` no key can be made that signs.
    """

    def __init__(self, database: Database, sealing: Sealing | None = None) -> None:
        self._database = database
        self._sealing = sealing
        self._known = Follower(self._changes, is_over=_is_forgotten)
        self._uses = Uses(database, api_keys)
        self._refusals = Uses(database, api_keys, column="last_refused_at")

    async def verify(self, text: str) -> Principal:
        """Whom the key speaks for.

        Raises InvalidKey for one unknown, expired or revoked; InvalidSignature for one that signs.
        """
        known = await self._known.find(digest_of(text))
        if known is None or now_ms() >= known.ends_at:
            self._note_refusal(known)
            raise InvalidKey("the API key is unknown, expired or revoked")
        if known.signs:
            raise InvalidSignature("this key signs requests; it is not sent with them")
        self._uses.note(known.principal.key_id)
        return known.principal

    async def still(self, key_id: str) -> Principal:
        """For whom the key of this id speaks, which was accepted before; raises InvalidKey."""
        known = await self._known.find_by_id(key_id)
        if known is None or now_ms() >= known.ends_at:
            raise InvalidKey("the API key has expired or was revoked")
        return known.principal

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
        key_rows.check_key(name, scopes, tier)
        async with self._database.writing() as connection:
            tier = await key_rows.granted(connection, tenant, tier)
            wanted = Wanted(name, scopes, tenant, tier, expires_at, signs)
            return await self._make(connection, wanted, by)

    async def list(self, tenant: str = DEFAULT_ENVIRONMENT) -> Sequence[Key]:
        """All keys of an environment, revoked ones too, oldest first."""
        mine = select(api_keys).where(api_keys.c.environment_id == tenant)
        with heard():
            async with self._database.reading() as connection:
                rows = await connection.execute(mine.order_by(api_keys.c.created_at, api_keys.c.id))
        return [key_of_row(row) for row in rows.mappings()]

    async def get(self, key_id: str, tenant: str = DEFAULT_ENVIRONMENT) -> Key:
        """The key of this id; raises NotFound when the environment has none."""
        with heard():
            async with self._database.reading() as connection:
                return await key_rows.find(connection, tenant, key_id)

    async def change(
        self,
        key_id: str,
        changes: Mapping[str, Any],
        tenant: str = DEFAULT_ENVIRONMENT,
        by: Actor = audit.SERVICE,
    ) -> Key:
        """Change `name`, `scopes`, `tier` or `expires_at` of a live key; what is left out stays.

        Raises NotFound; Conflict for a key that has ended or that a setting gives; InvalidInput
        and Forbidden as `create` does.
        """
        with heard():
            async with self._database.writing() as connection:
                key = await key_rows.changeable(connection, tenant, key_id)
                values = await _checked(connection, key, changes)
                await set_row(connection, api_keys, key_id, **values)
                await audit.note(connection, by, audit.KEY_CHANGED, key_id, tenant, **values)
        await self._known.read_again()
        return await self.get(key_id, tenant)

    async def rotate(
        self,
        key_id: str,
        grace: float = USUAL_GRACE,
        tenant: str = DEFAULT_ENVIRONMENT,
        by: Actor = audit.SERVICE,
    ) -> NewKey:
        """Make a successor of the same name, scopes and tier.

        The former key stays valid for `grace` seconds beside it, never longer than before. Raises
        NotFound, InvalidInput; Conflict for a key that has ended, has a successor, or that a
        setting gives.
        """
        with heard():
            async with self._database.writing() as connection:
                former = await key_rows.changeable(connection, tenant, key_id)
                if former.successor_id:
                    raise Conflict(f"it was rotated into {former.successor_id}: rotate that one")
                ends = end_after(grace, former.expires_at)
                await set_row(connection, api_keys, key_id, expires_at=ends)
                new = await self._make(connection, _same(former), by, former.id)
                await set_row(connection, api_keys, key_id, successor_id=new.key.id)
        with suppress(AccountsUnavailable):  # it is done, and its text cannot be had again
            await self._known.read_again()
        return new

    async def revoke(
        self, key_id: str, tenant: str = DEFAULT_ENVIRONMENT, by: Actor = audit.SERVICE
    ) -> Key:
        """End a key for good; one revoked before stays as it is. Raises NotFound."""
        with heard():
            async with self._database.writing() as connection:
                key = await key_rows.find(connection, tenant, key_id)
                if key.revoked_at is None:
                    await set_row(connection, api_keys, key_id, revoked_at=now_ms())
                    await audit.note(connection, by, audit.KEY_REVOKED, key_id, tenant)
        await self._known.read_again()
        return await self.get(key_id, tenant)

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
            same = select(api_keys).where(api_keys.c.digest == digest_of(text))
            found = (await connection.execute(same)).mappings().one_or_none()
            if found is None:
                await _replace_bootstrap(connection, text)
            elif found["revoked_at"] is not None:
                log().warning("accounts.bootstrap.revoked")

    async def close(self) -> None:
        """Write the last times of use, and return when nothing is under way any more."""
        await self._known.close()
        await self._uses.close()
        await self._refusals.close()

    async def _make(
        self, connection: AsyncConnection, wanted: Wanted, by: Actor, former_id: str = ""
    ) -> NewKey:
        text, key_id = new_text("evp"), f"key_{secrets.token_hex(8)}"
        signing_secret = new_text("evs") if wanted.signs else None
        row = key_rows.new_row(key_id, text, wanted)
        row["signing_secret"] = self._sealed(key_id, signing_secret)
        await key_rows.add(connection, row)
        action = audit.KEY_ROTATED if former_id else audit.KEY_MADE
        told = key_rows.told(row) | ({"replaces": former_id} if former_id else {})
        await audit.note(connection, by, action, key_id, wanted.tenant, **told)
        return NewKey(text, await key_rows.find(connection, wanted.tenant, key_id), signing_secret)

    def _sealed(self, key_id: str, secret: str | None) -> str | None:
        if secret is None:
            return None
        assert self._sealing, "opened without what seals secrets"
        return self._sealing.seal(secret.encode(), place_of(key_id))

    def _note_refusal(self, known: _Known | None) -> None:
        keys_refused.labels("ended" if known else "unknown").inc()
        if known:
            self._refusals.note(known.principal.key_id)

    async def _changes(self, revision: int) -> Sequence[Change[_Known]]:
        lately = api_keys.c.revoked_at > now_ms() - REMEMBERED_MS
        known = or_(api_keys.c.revoked_at.is_(None), lately)
        async with self._database.reading() as connection:
            changed = select(api_keys).where(api_keys.c.revision > revision, known)
            rows = (await connection.execute(changed)).mappings().all()
        self._uses.write_in_time()
        self._refusals.write_in_time()
        return [
            Change(row["id"], row["digest"], _known(key_of_row(row)), row["revision"])
            for row in rows
        ]


def _known(key: Key) -> _Known:
    return _Known(key_rows.principal_of(key), key.ends_at, key.signs)


def _is_forgotten(known: _Known) -> bool:
    return known.ends_at + REMEMBERED_MS <= now_ms()


def _same(former: Key) -> Wanted:
    """What a successor is made for."""
    until = lives_as_long(former.created_at, former.expires_at)
    return Wanted(former.name, former.scopes, former.tenant, former.tier, until, former.signs)


async def _checked(
    connection: AsyncConnection, key: Key, changes: Mapping[str, Any]
) -> dict[str, Any]:
    """Changes of a key as its row holds them. Raises InvalidInput, Forbidden."""
    as_it_will_be = {"name": key.name, "scopes": key.scopes, "tier": key.tier} | dict(changes)
    key_rows.check_key(*(as_it_will_be[field] for field in ("name", "scopes", "tier")))
    values = dict(changes)
    if "scopes" in changes:
        values["scopes"] = key_rows.written(changes["scopes"])
    if "tier" in changes:
        values["tier"] = await key_rows.granted(connection, key.tenant, changes["tier"])
    return values


async def _replace_bootstrap(connection: AsyncConnection, text: str) -> None:
    row = key_rows.new_row(BOOTSTRAP_ID, text, Wanted("bootstrap", BOOTSTRAP_SCOPES))
    values = row | {"revoked_at": None, "revision": await next_revision(connection, api_keys)}
    former = update(api_keys).where(api_keys.c.id == BOOTSTRAP_ID)
    action = audit.BOOTSTRAP_REPLACED
    if not (await connection.execute(former.values(**values))).rowcount:
        action = audit.KEY_MADE
        await connection.execute(insert(api_keys).values(**values))
    by, told = audit.SERVICE, key_rows.told(row)
    await audit.note(connection, by, action, BOOTSTRAP_ID, DEFAULT_ENVIRONMENT, **told)
