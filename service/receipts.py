"""Receipts: what a caller holds to ask later whether its events are counted.

A receipt names a place on the stream, sealed so that only its own tenant can use it and nobody
can read from it how much others send. Sealing is deterministic: a place has one receipt.
"""

import hmac
import struct
from base64 import urlsafe_b64decode, urlsafe_b64encode
from binascii import Error as NotBase64
from dataclasses import dataclass
from hashlib import blake2b

from service.errors import NotFound

_PLACE = struct.Struct(">QII")
_SEAL = 16


@dataclass(frozen=True, slots=True)
class Place:
    """Where a request's events stand: `count` of them from ordinal `first` at `position`."""

    position: int
    first: int
    count: int


class Receipts:
    """Issues and reads receipts under one secret; all processes of a service share it."""

    def __init__(self, secret: bytes) -> None:
        self._sealing = blake2b(secret, person=b"receipt seal").digest()
        self._hiding = blake2b(secret, person=b"receipt hide").digest()

    def issue(self, tenant: str, position: int, first: int, count: int) -> str:
        """The receipt of `count` events of `tenant`, the first at (`position`, `first`)."""
        place = _PLACE.pack(position, first, count)
        seal = self._seal(tenant, place)
        return urlsafe_b64encode(seal + self._hide(place, seal)).decode().rstrip("=")

    def read(self, tenant: str, token: str) -> Place:
        """The place a receipt names. Raises NotFound for one that `tenant` was never given."""
        try:
            sealed = urlsafe_b64decode(f"{token}==")
        except (NotBase64, ValueError):
            sealed = b""
        seal, hidden = sealed[:_SEAL], sealed[_SEAL:]
        if len(hidden) == _PLACE.size:
            place = self._hide(hidden, seal)
            if hmac.compare_digest(seal, self._seal(tenant, place)):
                return Place(*_PLACE.unpack(place))
        raise NotFound("there is no such receipt")

    def _seal(self, tenant: str, place: bytes) -> bytes:
        return blake2b(place + tenant.encode(), key=self._sealing, digest_size=_SEAL).digest()

    def _hide(self, place: bytes, seal: bytes) -> bytes:
        """Exclusive or with a stream derived from the seal (a synthetic IV, as RFC 5297's)."""
        pad = blake2b(seal, key=self._hiding, digest_size=_PLACE.size).digest()
        mixed = int.from_bytes(place, "big") ^ int.from_bytes(pad, "big")
        return mixed.to_bytes(_PLACE.size, "big")
