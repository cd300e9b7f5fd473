"""Nonces that all processes of a service share, on Redis or Valkey.

It fails closed: while the server does not answer nothing is taken. One that lost its memory (a
restart, FLUSHALL) lost with it since when it has one; from then on it has one again, and takes
nothing that was signed before.
"""

import time
from hashlib import blake2b

from service.errors import SigningUnavailable
from service.shared.line import Line
from service.shared.nonces import MARGIN

PATIENCE = 0.5
"""Seconds that a signed request waits to be known as new."""
_MOST_CALLS = 256


class SharedNonces:
    """`Nonces` on one server; `secret` is the service's own, and names its keys."""

    def __init__(self, url: str, secret: bytes) -> None:
        self._line = Line(url, "nonces", PATIENCE, _MOST_CALLS)
        name = blake2b(secret, digest_size=8).hexdigest()
        self._since = f"headrace:{name}:nonces".encode()
        self._prefix = f"headrace:{name}:nonce:".encode()

    async def begin(self) -> None:
        """Have the server remember from now on, if it answers; else the first use does it."""
        await self._line.ask(("SET", self._since, int(time.time()), "NX"))

    async def use(self, nonce: bytes, signed_at: int, until: int) -> bool:
        now = int(time.time())
        match await self._line.ask(
            ("SET", self._since, now, "NX"),
            ("GET", self._since),
            ("SET", self._prefix + nonce, b"", "NX", "EX", max(1, until + MARGIN - now)),
        ):
            case [_, bytes(since), answer] if answer is None or answer is True:
                if signed_at < int(since):
                    raise SigningUnavailable("Redis lost its memory after the request was signed")
                return answer is True
        raise SigningUnavailable("the memory of signed requests does not answer")

    async def ping(self) -> None:
        """Return when the server answers; raises ConnectionError when it does not."""
        await self._line.ping()

    async def close(self) -> None:
        await self._line.close()
