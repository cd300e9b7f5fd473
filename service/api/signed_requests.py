"""Signed requests as they come over HTTP: the header, and the text that is signed.

    Authorization: HMAC-SHA256 v=1,key=…,time=…,nonce=…,signature=…
    Content-Digest: sha-256=:…:          (with a body)

The signed text is the version, the time, the nonce, the method, the path with its query and the
digest of the body, a line each (docs/request-signing.md). The body itself is held to its digest
where it is read (`bodies`), so that the signature is checked before the first byte of it.
"""

import re
from collections.abc import Mapping

from service.accounts.signatures import Signed
from service.api.bodies import SHA256
from service.errors import InvalidSignature

_SCHEME = b"hmac-sha256"
_FORM = re.compile(
    rb"(?i:hmac-sha256) v=1,key=([0-9A-Za-z_]{1,64}),time=([1-9][0-9]{9}),"
    rb"nonce=([0-9A-Za-z_-]{16,64}),signature=([0-9a-f]{64})"
)
_WANTED = "HMAC-SHA256 v=1,key=…,time=…,nonce=…,signature=…"


def is_signed(headers: Mapping[bytes, bytes]) -> bool:
    """Whether the request says that it is signed."""
    return headers.get(b"authorization", b"")[: len(_SCHEME)].lower() == _SCHEME


def signed(headers: Mapping[bytes, bytes]) -> Signed:
    """The request as its sender signed it, by its headers as `headers_of` gives them.

    Raises InvalidSignature when something is missing or has not its one form.
    """
    if (found := _FORM.fullmatch(headers[b"authorization"])) is None:
        raise InvalidSignature(f"a signed request says Authorization: {_WANTED}")
    if b"x-api-key" in headers:
        raise InvalidSignature("a signed request carries no x-api-key")
    key, time, nonce, signature = found.groups()
    parts = (b"v1", time, nonce, headers[b":method"], headers[b":path"], _digest(headers))
    text = b"\n".join(parts)
    return Signed(key.decode(), int(time), nonce, bytes.fromhex(signature.decode()), text)


def _digest(headers: Mapping[bytes, bytes]) -> bytes:
    """The body's digest, as the header says it; empty where there is no body."""
    if (digest := headers.get(b"content-digest")) is not None:
        if SHA256.fullmatch(digest) is None:
            raise InvalidSignature("a signed request says Content-Digest: sha-256=:…: and no more")
        return digest
    if b"transfer-encoding" in headers or headers.get(b"content-length", b"0") != b"0":
        raise InvalidSignature("a signed request with a body says its Content-Digest")
    return b""
