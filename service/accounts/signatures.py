"""Signed requests: keys that are never sent, but sign (docs/request-signing.md).

A key that has to sign has a signing secret, sealed in its row. Live secrets are kept in memory as
keys are, so that a request costs no reading.
"""

import hmac
import math
import secrets
import time
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import blake2b

from sqlalchemy import RowMapping, select, update

from service.accounts.follower import Change, Follower
from service.accounts.key_rows import api_keys, key_of_row, place_of, principal_of
from service.accounts.principals import Principal
from service.accounts.sealing import Sealing
from service.accounts.uses import Uses
from service.database import Database
from service.errors import InvalidSignature, SealBroken
from service.shared.nonces import Nonces
from service.telemetry import log

_NOBODY = secrets.token_bytes(32)
"""What a signature of an unknown key is compared under, so that it takes the same time."""


@dataclass(frozen=True, slots=True)
class Signed:
    """A request as its sender signed it; `signed_at` in Unix seconds."""

    key_id: str
    signed_at: int
    nonce: bytes
    signature: bytes
    text: bytes
    """All that the signature covers."""


@dataclass(frozen=True, slots=True)
class _Signer:
    """A key that signs, and until when (ms since 1970 UTC)."""

    principal: Principal
    secret: bytes
    expires_at: float


class Signatures:
    """Says for whom a signed request speaks. A request is good once, within `window` seconds."""

    def __init__(self, database: Database, sealing: Sealing, nonces: Nonces, window: float) -> None:
        self._database = database
        self._uses = Uses(database, api_keys)
        self._sealing = sealing
        self._nonces = nonces
        self._window = window
        self._signers = Follower(self._changes)

    async def verify(self, request: Signed) -> Principal:
        """Whom the request speaks for.

        Raises InvalidSignature; SigningUnavailable when nobody can say whether it is a replay;
        AccountsUnavailable.
        """
        signer = await self._signers.find(request.key_id)
        secret = _NOBODY if signer is None else signer.secret
        good = hmac.compare_digest(hmac.digest(secret, request.text, "sha256"), request.signature)
        if signer is None or not good or time.time() * 1000 >= signer.expires_at:
            raise InvalidSignature("the signature is not one of a live key over this request")
        await self._refuse_again(request)
        self._uses.note(signer.principal.key_id)
        return signer.principal

    async def _refuse_again(self, request: Signed) -> None:
        if abs(time.time() - request.signed_at) > self._window:
            raise InvalidSignature(
                f"the request was signed more than {self._window:g} seconds from now: "
                "look at the clock of the sender"
            )
        until = math.ceil(request.signed_at + self._window)
        if not await self._nonces.use(_mark(request), request.signed_at, until):
            raise InvalidSignature("a request with this nonce was taken before")

    async def seal_again(self) -> int:
        """Seal the secrets anew that a former SECRET_KEY sealed; how many."""
        sealed = select(api_keys).where(api_keys.c.signing_secret.is_not(None))
        again = 0
        async with self._database.writing() as connection:
            for row in (await connection.execute(sealed)).mappings().all():
                if self._sealing.is_newest(row["signing_secret"]):
                    continue
                if secret := self._opened(row):
                    mine = update(api_keys).where(api_keys.c.id == row["id"])
                    text = self._sealing.seal(secret, place_of(row["id"]))
                    await connection.execute(mine.values(signing_secret=text))
                    again += 1
        return again

    async def close(self) -> None:
        """Write the last times of use, and return when nothing is under way any more."""
        await self._signers.close()
        await self._uses.close()

    async def _changes(self, revision: int) -> Sequence[Change[_Signer]]:
        changed = select(api_keys).where(
            api_keys.c.revision > revision, api_keys.c.signing_secret.is_not(None)
        )
        async with self._database.reading() as connection:
            rows = (await connection.execute(changed)).mappings().all()
        self._uses.write_in_time()
        return [Change(row["id"], row["id"], self._signer(row), row["revision"]) for row in rows]

    def _signer(self, row: RowMapping) -> _Signer | None:
        if row["revoked_at"] is not None or (secret := self._opened(row)) is None:
            return None
        until = math.inf if row["expires_at"] is None else row["expires_at"]
        return _Signer(principal_of(key_of_row(row)), secret, until)

    def _opened(self, row: RowMapping) -> bytes | None:
        try:
            return self._sealing.open(row["signing_secret"], place_of(row["id"]))
        except SealBroken as error:
            log().error("accounts.seal_broken", of=row["id"], reason=str(error))
            return None


def _mark(request: Signed) -> bytes:
    """What is remembered of a request. Its parts cannot run into each other."""
    used = f"{request.key_id}.{request.signed_at}.".encode() + request.nonce
    return blake2b(used, digest_size=16).digest()
