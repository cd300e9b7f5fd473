"""Codes that prove that somebody reads an address: six digits, one live code an address.

Only a keyed digest of a code is kept, and of the address it is for: with the database alone nobody
finds either. A code is good once, for ten minutes and five tries.
"""

import hmac
import secrets
import time
from collections.abc import Mapping
from hashlib import blake2b, sha256
from typing import Any

from sqlalchemy import BigInteger, Column, Integer, String, Table, delete, insert, select
from sqlalchemy.ext.asyncio import AsyncConnection

from service.database import metadata

CODE_SECONDS = 600
TRIES = 5

codes = Table(
    "codes",
    metadata,
    Column("account", String(64), primary_key=True),
    Column("digest", String(64), nullable=False),
    Column("tries", Integer, nullable=False),
    Column("expires_at", BigInteger, nullable=False),
)
"""`account` is a keyed digest of the address; `tries` counts those of the code there is."""


class Codes:
    """Makes codes and takes them back, inside the transactions of its caller."""

    def __init__(self, secret: bytes) -> None:
        self._key = blake2b(secret, person=b"sign-in codes").digest()

    async def issue(self, connection: AsyncConnection, address: str) -> str:
        """A new code for an address; the one before is good no more."""
        code = f"{secrets.randbelow(10**6):06d}"
        await connection.execute(delete(codes).where(codes.c.expires_at <= _now()))
        await _replace(connection, self._row(address, self._digest(address, code), 0))
        return code

    async def redeem(self, connection: AsyncConnection, address: str, code: str) -> bool:
        """Whether this is the address's code; it was then the last time.

        A wrong one is a try. An address without a code costs the same reading, digest, comparison
        and writing, so that time does not tell whether there is one.
        """
        account = self._digest(address)
        found = await connection.execute(select(codes).where(codes.c.account == account))
        there = found.mappings().one_or_none()
        row = dict(there) if there else self._row(address, "", TRIES)
        same = hmac.compare_digest(row["digest"], self._digest(address, code))
        if same and row["tries"] < TRIES and row["expires_at"] > _now():
            await connection.execute(delete(codes).where(codes.c.account == account))
            return True
        row["tries"] = min(row["tries"] + 1, TRIES)
        await _replace(connection, row)
        return False

    def _row(self, address: str, digest: str, tries: int) -> dict[str, Any]:
        return {
            "account": self._digest(address),
            "digest": digest,
            "tries": tries,
            "expires_at": _now() + CODE_SECONDS * 1000,
        }

    def _digest(self, *parts: str) -> str:
        return hmac.digest(self._key, "\n".join(parts).encode(), sha256).hex()


async def _replace(connection: AsyncConnection, row: Mapping[str, Any]) -> None:
    await connection.execute(delete(codes).where(codes.c.account == row["account"]))
    await connection.execute(insert(codes).values(**row))


def _now() -> int:
    return time.time_ns() // 1_000_000
