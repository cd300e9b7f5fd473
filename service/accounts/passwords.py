"""Passwords: which will do, and their argon2id hashes (RFC 9106), which cost time and memory.

A hash is made in a thread, few at once and few waiting: strangers who try passwords can neither
fill the memory nor keep everybody else waiting.
"""

import asyncio
import unicodedata
from collections.abc import Callable
from typing import TypeVar

from argon2 import PasswordHasher
from argon2.exceptions import Argon2Error, InvalidHashError

from service.errors import InvalidInput, Overloaded

SHORTEST = 8
LONGEST = 256
AT_ONCE = 2
"""Hashes made at the same time; each takes 64 MiB and about a twentieth of a second."""
MOST_WAITING = 32
"""Who would wait behind these is sent away."""

_T = TypeVar("_T")


def check_password(password: str, field: str = "password") -> None:
    """Raises InvalidInput for one that will not do."""
    if not SHORTEST <= len(password) <= LONGEST:
        raise InvalidInput(f"a password has {SHORTEST} to {LONGEST} characters", field)


class Passwords:
    """Hashes passwords and compares them with what is kept; `hasher` says at which cost."""

    def __init__(
        self,
        hasher: PasswordHasher | None = None,
        at_once: int = AT_ONCE,
        most_waiting: int = MOST_WAITING,
    ) -> None:
        self._hasher = hasher or PasswordHasher()
        self._nobodys = self._hasher.hash("nobody has this password")
        self._turns = asyncio.Semaphore(at_once)
        self._room = at_once + most_waiting
        self._inside = 0

    async def hash(self, password: str) -> str:
        """What may be kept of a password. Raises Overloaded."""
        return await self._in_turn(lambda: self._hasher.hash(_normal(password)))

    async def matches(self, password: str, kept: str | None) -> bool:
        """Whether `kept` is of this password; None, which nothing matches, costs the same.

        Raises Overloaded.
        """
        same = await self._in_turn(lambda: self._verify(kept or self._nobodys, password))
        return same and kept is not None

    def is_outdated(self, kept: str) -> bool:
        """Whether it was made at another cost than hashes are made now."""
        return self._hasher.check_needs_rehash(kept)

    def _verify(self, kept: str, password: str) -> bool:
        try:
            return self._hasher.verify(kept, _normal(password))
        except (Argon2Error, InvalidHashError):
            return False

    async def _in_turn(self, work: Callable[[], _T]) -> _T:
        if self._inside >= self._room:
            raise Overloaded("too many passwords are being checked: try again")
        self._inside += 1
        try:
            async with self._turns:
                return await asyncio.to_thread(work)
        finally:
            self._inside -= 1


def _normal(password: str) -> bytes:
    """One spelling of what keyboards write in two ways; anything too long as one that is wrong."""
    text = password if len(password) <= LONGEST else ""
    return unicodedata.normalize("NFC", text).encode(errors="surrogatepass")
