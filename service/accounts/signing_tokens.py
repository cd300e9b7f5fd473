"""Signing tokens: who sends signed events for an account and a workspace of an environment.

A sender shows his token with every request and signs the body under a key derived from it, so a
digest is all that is kept (docs/decisions/0013).
"""

import secrets
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Literal, get_args

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    ForeignKey,
    RowMapping,
    String,
    Table,
    insert,
    select,
)
from sqlalchemy.ext.asyncio import AsyncConnection

from service.accounts import audit
from service.accounts.audit import Actor
from service.accounts.credentials import (
    REMEMBERED_MS,
    USUAL_GRACE,
    digest_of,
    end_after,
    ends_at,
    live_in,
    lives_as_long,
    new_text,
    next_revision,
    now_ms,
    set_row,
    shown,
)
from service.accounts.environments import environments
from service.accounts.follower import Change, Follower
from service.accounts.names import check_name
from service.accounts.uses import Uses
from service.database import Database, heard, metadata
from service.errors import (
    AccountsUnavailable,
    Conflict,
    Forbidden,
    InvalidInput,
    NotFound,
    Unauthenticated,
)

Scheme = Literal["hkdf", "hkdf-swapped", "shell"]
"""How a sender derives the key that he signs with."""

SCHEMES: tuple[Scheme, ...] = get_args(Scheme)
MOST_TOKENS = 100
"""Live tokens of one environment: every process keeps all of them in memory."""

signing_tokens = Table(
    "signing_tokens",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("environment_id", ForeignKey("environments.id"), nullable=False, index=True),
    Column("account_id", String(128), nullable=False),
    Column("workspace_id", String(128), nullable=False),
    Column("name", String(128), nullable=False),
    Column("prefix", String(16), nullable=False),
    Column("digest", String(64), nullable=False, unique=True),
    Column("scheme", String(16)),
    Column("requires_nonce", Boolean, nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Column("last_used_at", BigInteger),
    Column("last_scheme", String(16)),
    Column("expires_at", BigInteger),
    Column("revoked_at", BigInteger),
    Column("successor_id", String(64)),
    Column("revision", BigInteger, nullable=False, index=True),
)
"""`revision` grows with every change that verification must hear of (see `Follower`)."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a token shall be good for. `expires_at` in ms since 1970 UTC."""

    account_id: str
    workspace_id: str
    name: str
    scheme: Scheme | None = None
    """The one derivation that it accepts; None accepts all."""
    requires_nonce: bool = False
    """Whether a request must carry a time and a nonce inside what is signed."""
    expires_at: int | None = None


@dataclass(frozen=True, slots=True)
class SigningToken:
    """What may be told of a token after its creation. Times in ms since 1970 UTC."""

    id: str
    environment_id: str
    account_id: str
    workspace_id: str
    name: str
    prefix: str
    scheme: Scheme | None
    requires_nonce: bool
    created_at: int
    last_used_at: int | None
    """Written once a minute."""
    last_scheme: Scheme | None
    """The derivation that the last signature was made with."""
    expires_at: int | None
    revoked_at: int | None
    successor_id: str | None
    """The token that this one was rotated into."""

    @property
    def ends_at(self) -> float:
        """From when on it is refused; infinite for one that never is."""
        return ends_at(self.revoked_at, self.expires_at)


@dataclass(frozen=True, slots=True)
class NewSigningToken:
    """A token just made, and its text, which cannot be had again."""

    text: str
    token: SigningToken


class SigningTokens:
    """The signing tokens. Safe to use from many tasks; other processes may change them too.

    As with keys, a token revoked anywhere is refused here within half a second. Every method that
    asks the database raises AccountsUnavailable when it does not answer.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._known = Follower(self._changes, is_over=_is_forgotten)
        self._uses = Uses(database, signing_tokens, "last_scheme")

    async def find(self, text: str) -> SigningToken:
        """The live token of this text, from memory; whether it signs is for its user to find out.

        Raises Unauthenticated for an unknown one, Forbidden for one expired or revoked.
        """
        token = await self._known.find(digest_of(text))
        if token is None:
            raise Unauthenticated("the signing token is unknown")
        if token.ends_at <= now_ms():
            raise Forbidden("the signing token has expired or was revoked")
        return token

    def note_use(self, token: SigningToken, scheme: Scheme) -> None:
        """A request was signed with this token, its key derived so; written within a minute."""
        self._uses.note(token.id, scheme)

    async def create(
        self, wanted: Wanted, environment_id: str, by: Actor = audit.SERVICE
    ) -> NewSigningToken:
        """Make a token.

        Raises InvalidInput for what will not do and for one token too many; NotFound for an
        unknown environment.
        """
        _check(wanted)
        with heard():
            async with self._database.writing() as connection:
                return await _make(connection, wanted, environment_id, by)

    async def list(self, environment_id: str) -> Sequence[SigningToken]:
        """All tokens of an environment, revoked ones too, oldest first."""
        mine = signing_tokens.c.environment_id == environment_id
        order = (signing_tokens.c.created_at, signing_tokens.c.id)
        with heard():
            async with self._database.reading() as connection:
                rows = await connection.execute(select(signing_tokens).where(mine).order_by(*order))
        return [_token(row) for row in rows.mappings()]

    async def get(self, token_id: str, environment_id: str) -> SigningToken:
        """The token of this id; raises NotFound when the environment has none."""
        with heard():
            async with self._database.reading() as connection:
                return await _find(connection, token_id, environment_id)

    async def change(
        self,
        token_id: str,
        environment_id: str,
        changes: Mapping[str, Any],
        by: Actor = audit.SERVICE,
    ) -> SigningToken:
        """Change `name`, `scheme`, `requires_nonce` of a live token.

        Raises NotFound, Conflict for a token that has ended, InvalidInput.
        """
        if "name" in changes:
            check_name(changes["name"])
        with heard():
            async with self._database.writing() as connection:
                await _live(connection, token_id, environment_id)
                await set_row(connection, signing_tokens, token_id, **changes)
                subject = (token_id, environment_id)
                await audit.note(connection, by, audit.SIGNING_CHANGED, *subject, **changes)
        return await self._changed(token_id, environment_id)

    async def rotate(
        self,
        token_id: str,
        environment_id: str,
        grace: float = USUAL_GRACE,
        by: Actor = audit.SERVICE,
    ) -> NewSigningToken:
        """Make a successor; the former token stays valid for `grace` seconds beside it.

        Raises NotFound, Conflict for a token that has ended or has a successor, InvalidInput.
        """
        with heard():
            async with self._database.writing() as connection:
                former = await _live(connection, token_id, environment_id)
                if former.successor_id:
                    raise Conflict(f"it was rotated into {former.successor_id}: rotate that one")
                ends = end_after(grace, former.expires_at)
                await set_row(connection, signing_tokens, token_id, expires_at=ends)
                made = await _make(connection, _same(former), environment_id, by, former.id)
                await set_row(connection, signing_tokens, token_id, successor_id=made.token.id)
        with suppress(AccountsUnavailable):  # it is done, and its text cannot be had again
            await self._known.read_again()
        return made

    async def revoke(
        self, token_id: str, environment_id: str, by: Actor = audit.SERVICE
    ) -> SigningToken:
        """End a token for good; one revoked before stays as it is. Raises NotFound."""
        with heard():
            async with self._database.writing() as connection:
                token = await _find(connection, token_id, environment_id)
                if token.revoked_at is None:
                    await set_row(connection, signing_tokens, token_id, revoked_at=now_ms())
                    subject = (token_id, environment_id)
                    await audit.note(connection, by, audit.SIGNING_REVOKED, *subject)
        return await self._changed(token_id, environment_id)

    async def close(self) -> None:
        """Write the last times of use, and return when nothing is under way any more."""
        await self._known.close()
        await self._uses.close()

    async def _changed(self, token_id: str, environment_id: str) -> SigningToken:
        await self._known.read_again()
        return await self.get(token_id, environment_id)

    async def _changes(self, revision: int) -> Sequence[Change[SigningToken]]:
        changed = select(signing_tokens).where(signing_tokens.c.revision > revision)
        async with self._database.reading() as connection:
            rows = (await connection.execute(changed)).mappings().all()
        self._uses.write_in_time()
        return [Change(row["id"], row["digest"], _token(row), row["revision"]) for row in rows]


def _check(wanted: Wanted) -> None:
    check_name(wanted.name)
    for field, text in (("accountId", wanted.account_id), ("workspaceId", wanted.workspace_id)):
        if not 1 <= len(text) <= 128 or not text.isprintable():
            raise InvalidInput(f"`{field}` has 1 to 128 printable characters", field)
    scheme_called(wanted.scheme)


def scheme_called(name: str | None) -> Scheme | None:
    """The derivation of this name. Raises InvalidInput."""
    for scheme in SCHEMES:
        if scheme == name:
            return scheme
    if name is not None:
        raise InvalidInput(f"a scheme is one of {', '.join(SCHEMES)}", "scheme")
    return None


async def _make(
    connection: AsyncConnection,
    wanted: Wanted,
    environment_id: str,
    by: Actor,
    former_id: str | None = None,
) -> NewSigningToken:
    await _check_room(connection, environment_id)
    text = new_text("evt")
    row = {field: getattr(wanted, field) for field in Wanted.__slots__}
    row |= {"id": f"sgt_{secrets.token_hex(8)}", "environment_id": environment_id}
    row |= {"digest": digest_of(text), "prefix": shown(text), "created_at": now_ms()}
    row["revision"] = await next_revision(connection, signing_tokens)
    await connection.execute(insert(signing_tokens).values(**row))
    action = audit.SIGNING_ROTATED if former_id else audit.SIGNING_MADE
    told = {field: row[field] for field in (*Wanted.__slots__, "prefix")}
    if former_id:
        told["replaces"] = former_id
    await audit.note(connection, by, action, row["id"], environment_id, **told)
    return NewSigningToken(text, await _find(connection, row["id"], environment_id))


async def _check_room(connection: AsyncConnection, environment_id: str) -> None:
    there = select(environments.c.id).where(environments.c.id == environment_id)
    if (await connection.execute(there)).first() is None:
        raise NotFound(f"there is no environment {environment_id}")
    if await live_in(connection, signing_tokens, environment_id) >= MOST_TOKENS:
        raise InvalidInput(f"an environment has at most {MOST_TOKENS} tokens: revoke one first")


async def _find(connection: AsyncConnection, token_id: str, environment_id: str) -> SigningToken:
    mine = signing_tokens.c.environment_id == environment_id
    one = select(signing_tokens).where(signing_tokens.c.id == token_id, mine)
    row = (await connection.execute(one)).mappings().one_or_none()
    if row is None:
        raise NotFound(f"there is no signing token {token_id}")
    return _token(row)


async def _live(connection: AsyncConnection, token_id: str, environment_id: str) -> SigningToken:
    token = await _find(connection, token_id, environment_id)
    if token.ends_at <= now_ms():
        raise Conflict("the signing token has expired or was revoked: make a new one")
    return token


def _same(former: SigningToken) -> Wanted:
    """What a successor is made for."""
    same = {field: getattr(former, field) for field in Wanted.__slots__}
    return Wanted(**same | {"expires_at": lives_as_long(former.created_at, former.expires_at)})


def _token(row: RowMapping) -> SigningToken:
    return SigningToken(**{field: row[field] for field in SigningToken.__slots__})


def _is_forgotten(token: SigningToken) -> bool:
    return token.ends_at + REMEMBERED_MS <= now_ms()
