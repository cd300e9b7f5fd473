"""The shared memory on Redis or Valkey.

Texts are sealed with a key that only this service has. One that was put there under another key, by
another service or by nobody is not found.
"""

import hmac
import os
from hashlib import blake2b

import numpy as np
from numpy.typing import NDArray

from service.shared.line import Line
from service.shared.protocol import Kept, Keys
from service.telemetry import log

PATIENCE = 0.05
"""Seconds that a request gives this memory; more would be felt by who asks."""
REMEMBERED = 500_000
"""Ids in a set; two sets are kept."""
_REMEMBERED_SECONDS = 3600
_LARGEST = 4 * 1024 * 1024
_SEAL = 16
_OURS = "if redis.call('GET', KEYS[1]) == ARGV[1] then redis.call('DEL', KEYS[1]) end"


class SharedRedis:
    """A `Shared` on one server. `secret` is the service's own; it also names its keys."""

    def __init__(self, url: str, secret: bytes) -> None:
        self._line = Line(url, "answers", PATIENCE)
        self._sealing = blake2b(secret, person=b"shared seal").digest()
        self._prefix = b"headrace:" + blake2b(secret, digest_size=8).hexdigest().encode() + b":"
        self._me = os.urandom(8)

    async def get(self, key: bytes) -> Kept | None:
        name = self._name(b"answer", key)
        match await self._line.ask(("GET", name), ("PTTL", name)):
            case [bytes(sealed), int(left)] if left > 0:
                text = self._opened(key, sealed)
                return None if text is None else Kept(text, left / 1000)
        return None

    async def put(self, key: bytes, text: bytes, seconds: float) -> None:
        if len(text) <= _LARGEST and seconds > 0:
            sealed = self._seal(key, text) + text
            await self._line.ask(("SET", self._name(b"answer", key), sealed, "PX", _ms(seconds)))

    async def claim(self, key: bytes, seconds: float) -> bool:
        name = self._name(b"claim", key)
        answer = await self._line.ask(("SET", name, self._me, "NX", "PX", _ms(seconds)))
        return answer != [None]

    async def release(self, key: bytes) -> None:
        await self._line.ask(("EVAL", _OURS, 1, self._name(b"claim", key), self._me))

    async def seen(self, ids: Keys) -> NDArray[np.bool_]:
        unknown = np.zeros(len(ids), bool)
        if not len(ids):
            return unknown
        members = _members(ids)
        latest, former = self._name(b"ids", b"latest"), self._name(b"ids", b"former")
        answers = await self._line.ask(
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
        match await self._line.ask(
            ("SADD", latest, *_members(ids)),
            ("EXPIRE", latest, _REMEMBERED_SECONDS),
            ("SCARD", latest),
        ):
            case [_, _, int(size)] if size > REMEMBERED:
                await self._line.ask(("RENAME", latest, former))

    async def ping(self) -> None:
        await self._line.ping()

    async def close(self) -> None:
        await self._line.close()

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
