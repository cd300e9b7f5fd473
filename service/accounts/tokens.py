"""Session tokens: JSON Web Tokens that say which session they stand for, and nothing to trust else.

HS256 and no other algorithm. Each secret gives a key; the first one signs, all of them verify, so
that a secret can be replaced without signing anybody out.
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from hashlib import blake2b
from typing import Any

import jwt

from service.errors import Unauthenticated

ISSUER = AUDIENCE = "headrace"
_ALGORITHM = "HS256"
_REQUIRED = ["iss", "aud", "exp", "iat", "jti", "sub"]
_LEEWAY = 10
"""Seconds that the clocks of two machines may differ."""
_LONGEST = 2048
_KEPT = 4096
"""Tokens whose signature is not computed again."""


@dataclass(frozen=True, slots=True)
class Claims:
    """What a token says: of which session and user it is; `expires_at` in ms since 1970 UTC."""

    session_id: str
    user_id: str
    expires_at: int


class Tokens:
    """Issues and reads tokens under one secret, and reads those of the secrets before it."""

    def __init__(self, secret: bytes, former: Sequence[bytes] = ()) -> None:
        self._keys = {_name(key): key for key in map(_derived, (secret, *former))}
        self._signing = _name(_derived(secret))
        self._known = lru_cache(_KEPT)(self._decode)

    def issue(self, claims: Claims) -> str:
        """The token of a session, signed now."""
        payload = {
            "iss": ISSUER,
            "aud": AUDIENCE,
            "sub": claims.user_id,
            "jti": claims.session_id,
            "iat": int(time.time()),
            "exp": claims.expires_at // 1000,
        }
        key = self._keys[self._signing]
        return jwt.encode(payload, key, algorithm=_ALGORITHM, headers={"kid": self._signing})

    def read(self, text: str) -> Claims:
        """What a token of ours says. Raises Unauthenticated for any other, and past its time."""
        claims = self._known(text) if len(text) <= _LONGEST else None
        if claims is None or claims.expires_at <= time.time() * 1000:
            raise Unauthenticated("the token is not valid any more")
        return claims

    def _decode(self, text: str) -> Claims:
        try:
            key = self._keys[str(jwt.get_unverified_header(text).get("kid"))]
            said: dict[str, Any] = jwt.decode(
                text,
                key,
                algorithms=[_ALGORITHM],
                issuer=ISSUER,
                audience=AUDIENCE,
                leeway=_LEEWAY,
                options={"require": _REQUIRED},
            )
        except (jwt.PyJWTError, KeyError, ValueError, RecursionError):
            raise Unauthenticated("the token is not one of ours, or not valid any more") from None
        return Claims(said["jti"], said["sub"], int(said["exp"]) * 1000)


def is_token(text: str) -> bool:
    """Whether a credential looks like a token: three parts, the first of them a JSON object."""
    return text.startswith("eyJ") and text.count(".") == 2


def _derived(secret: bytes) -> bytes:
    return blake2b(secret, person=b"session tokens").digest()


def _name(key: bytes) -> str:
    """The key's name in a token's head; nothing of the key can be read from it."""
    return blake2b(key, person=b"name of a key", digest_size=8).hexdigest()
