"""The shared memory on Redis or Valkey.

* It is given little time: `PATIENCE` for a call. The first call that fails closes the way, so that
  nobody waits for a server that is away; a probe opens it again, one a second.
* Texts are sealed with a key that only this service has. One that was put there under another key,
  by another service or by nobody is not found.
* A call that is cancelled or late takes its connection with it: no answer is left in it for the
  next caller.
"""

import asyncio
import hmac
import os
from collections.abc import Sequence
from contextlib import suppress
from hashlib import blake2b
from typing import Any

import numpy as np
from numpy.typing import NDArray
from redis.asyncio import ConnectionPool, Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff

from service.shared.protocol import Kept, Keys
from service.telemetry import log, shared_failures

PATIENCE = 0.05
"""Seconds that a request gives this memory; more would be felt by who asks."""
PROBE_PAUSE = 1.0
_SHORT_PAUSE = 0.2
"""Seconds before the first probe: a call may also be late because this process is busy."""
_PROBE_PATIENCE = 0.5
_MOST_CALLS = 64
"""Calls under way at once; more do without."""
REMEMBERED = 500_000
"""Ids in a set; two sets are kept."""
_REMEMBERED_SECONDS = 3600
_LARGEST = 4 * 1024 * 1024
_SEAL = 16
_OURS = "if redis.call('GET', KEYS[1]) == ARGV[1] then redis.call('DEL', KEYS[1]) end"


class SharedRedis:
    """A `Shared` on one server. `secret` is the service's own; it also names its keys."""

    def __init__(self, url: str, secret: bytes) -> None:
        pool = ConnectionPool.from_url(
            url,
            max_connections=_MOST_CALLS + 1,
            socket_timeout=_PROBE_PATIENCE,
            socket_connect_timeout=_PROBE_PATIENCE,
            retry=Retry(NoBackoff(), 0),
            client_name="headrace",
        )
        self._redis: Redis = Redis(connection_pool=pool)
        self._sealing = blake2b(secret, person=b"shared seal").digest()
        self._prefix = b"headrace:" + blake2b(secret, digest_size=8).hexdigest().encode() + b":"
        self._me = os.urandom(8)
        self._calls = 0
        self._probing: asyncio.Task[None] | None = None

    async def get(self, key: bytes) -> Kept | None:
        name = self._name(b"answer", key)
        match await self._ask(("GET", name), ("PTTL", name)):
            case [bytes(sealed), int(left)] if left > 0:
                text = self._opened(key, sealed)
                return None if text is None else Kept(text, left / 1000)
        return None

    async def put(self, key: bytes, text: bytes, seconds: float) -> None:
        if len(text) <= _LARGEST and seconds > 0:
            sealed = self._seal(key, text) + text
            await self._ask(("SET", self._name(b"answer", key), sealed, "PX", _ms(seconds)))

    async def claim(self, key: bytes, seconds: float) -> bool:
        name = self._name(b"claim", key)
        answer = await self._ask(("SET", name, self._me, "NX", "PX", _ms(seconds)))
        return answer != [None]

    async def release(self, key: bytes) -> None:
        await self._ask(("EVAL", _OURS, 1, self._name(b"claim", key), self._me))

    async def seen(self, ids: Keys) -> NDArray[np.bool_]:
        unknown = np.zeros(len(ids), bool)
        if not len(ids):
            return unknown
        members = _members(ids)
        latest, former = self._name(b"ids", b"latest"), self._name(b"ids", b"former")
        answers = await self._ask(
            ("SMISMEMBER", latest, *members), ("SMISMEMBER", former, *members)
        )
        for answer in answers or ():
            if isinstance(answer, list) and len(answer) == len(ids):
                unknown |= np.array([found == 1 for found in answer], bool)
        return unknown

    async def record(self, ids: Keys) -> None:
        if not len(ids):
            return
        latest, former = self._name(b"ids", b"latest"), self._name(b"ids", b"former")
        match await self._ask(
            ("SADD", latest, *_members(ids)),
            ("EXPIRE", latest, _REMEMBERED_SECONDS),
            ("SCARD", latest),
        ):
            case [_, _, int(size)] if size > REMEMBERED:
                await self._ask(("RENAME", latest, former))

    async def ping(self) -> None:
        try:
            async with asyncio.timeout(_PROBE_PATIENCE):
                if await self._redis.ping() is not True:
                    raise ConnectionError("it talks nonsense")
        except Exception as error:
            raise ConnectionError(f"Redis does not answer: {_told(error)}") from error

    async def close(self) -> None:
        if self._probing:
            self._probing.cancel()
            await asyncio.gather(self._probing, return_exceptions=True)
        await self._redis.aclose()
        await self._redis.connection_pool.disconnect()

    async def _ask(self, *commands: Sequence[Any]) -> list[Any] | None:
        """The answers in one round trip; None when there are none to be had."""
        if self._probing or self._calls >= _MOST_CALLS:
            return None
        self._calls += 1
        try:
            async with asyncio.timeout(PATIENCE), self._redis.pipeline(transaction=False) as line:
                for command in commands:
                    line.execute_command(*command)
                return await line.execute(raise_on_error=False)
        except Exception:  # whatever it says, it must not become anybody's error
            self._close_way()
            return None
        finally:
            self._calls -= 1

    def _close_way(self) -> None:
        shared_failures.inc()
        if not self._probing:
            self._probing = asyncio.create_task(self._probe())

    async def _probe(self) -> None:
        """Open the way again once it answers; connections made before are dropped."""
        away = False
        while True:
            with suppress(Exception):
                await self._redis.connection_pool.disconnect(inuse_connections=False)
            await asyncio.sleep(PROBE_PAUSE if away else _SHORT_PAUSE)
            try:
                await self.ping()
                break
            except ConnectionError as error:
                if not away:
                    log().warning(
                        "shared.away", reason=str(error), advice="each process does alone"
                    )
                away = True
        self._probing = None
        if away:
            log().info("shared.back")

    def _name(self, kind: bytes, key: bytes) -> bytes:
        return self._prefix + kind + b":" + key.hex().encode()

    def _seal(self, key: bytes, text: bytes) -> bytes:
        seal = blake2b(key=self._sealing, digest_size=_SEAL)
        seal.update(len(key).to_bytes(4, "big") + key)
        seal.update(text)
        return seal.digest()

    def _opened(self, key: bytes, sealed: bytes) -> bytes | None:
        text = sealed[_SEAL:]
        if hmac.compare_digest(sealed[:_SEAL], self._seal(key, text)):
            return text
        log().warning("shared.not_ours")
        return None


def _members(ids: Keys) -> list[bytes]:
    octets = ids.astype(">u8").tobytes()
    return [octets[start : start + 8] for start in range(0, len(octets), 8)]


def _ms(seconds: float) -> int:
    return max(1, int(seconds * 1000))


def _told(error: Exception) -> str:
    return str(error) or type(error).__name__
