"""What keys and signing tokens share: how they look, how they are kept, how they rotate and end.

Both have a table with at least `id`, `environment_id`, `expires_at`, `revoked_at` and `revision`.
"""

import math
import secrets
import time
from hashlib import sha256
from typing import Any

from sqlalchemy import Table, func, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from service.errors import InvalidInput

USUAL_GRACE = 24 * 3600
"""Seconds for which a credential that was rotated stays valid beside its successor."""
LONGEST_GRACE = 30 * USUAL_GRACE
REMEMBERED_MS = 30 * 24 * 3600 * 1000
"""How long a credential that has ended is told from one that never was."""

_SHOWN = 10
"""Most characters of a text that lists show, so that people recognise it; a quarter at most."""


def new_text(mark: str) -> str:
    """A text of 256 random bits behind a mark that says what it is."""
    return f"{mark}_{secrets.token_urlsafe(32)}"


def shown(text: str) -> str:
    """The beginning of a text, as lists show it."""
    return text[: min(_SHOWN, len(text) // 4)]


def digest_of(text: str) -> str:
    """What is kept of a text: with 256 random bits behind it, a fast digest is not guessed back.

    Texts are compared by it alone, so that how long a comparison takes tells nothing of them.
    """
    return sha256(text.encode(errors="surrogatepass")).hexdigest()


def end_after(grace: float, expires_at: int | None) -> int:
    """When a credential that is rotated now ends: after `grace` seconds, never later than before.

    In ms since 1970 UTC, as `expires_at` is. Raises InvalidInput for a grace that will not do.
    """
    if not 0 <= grace <= LONGEST_GRACE:
        allowed = f"0 to {LONGEST_GRACE} seconds (30 days)"
        raise InvalidInput(f"the former one stays valid for {allowed}", "graceSeconds")
    end = now_ms() + int(grace * 1000)
    return end if expires_at is None else min(end, expires_at)


def lives_as_long(created_at: int, expires_at: int | None) -> int | None:
    """When a successor made now expires: after the span for which its predecessor was made."""
    return None if expires_at is None else now_ms() + expires_at - created_at


def ends_at(revoked_at: int | None, expires_at: int | None) -> float:
    """From when on a credential is refused; infinite for one that never is."""
    if revoked_at is not None:
        return revoked_at
    return math.inf if expires_at is None else expires_at


async def live_in(connection: AsyncConnection, table: Table, environment_id: str) -> int:
    """How many credentials of an environment are good now."""
    live = select(func.count()).where(
        table.c.environment_id == environment_id,
        table.c.revoked_at.is_(None),
        or_(table.c.expires_at.is_(None), table.c.expires_at > now_ms()),
    )
    return (await connection.execute(live)).scalar_one()


async def set_row(connection: AsyncConnection, table: Table, row_id: str, **changes: Any) -> None:
    """Change a row, so that every process hears of it."""
    changes["revision"] = await next_revision(connection, table)
    await connection.execute(update(table).where(table.c.id == row_id).values(**changes))


async def next_revision(connection: AsyncConnection, table: Table) -> int:
    """Grows in the order of commits, because transactions that write take turns."""
    found = await connection.execute(select(func.max(table.c.revision)))
    return (found.scalar() or 0) + 1


def now_ms() -> int:
    """Now, in ms since 1970 UTC."""
    return time.time_ns() // 1_000_000
