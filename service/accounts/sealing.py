"""Secrets that must be had again, sealed for the database: AES-256-GCM under keys of SECRET_KEY.

    1.KEYID.BASE64URL(nonce ‖ ciphertext ‖ tag)

A sealed text opens only where it was put: what it is bound to (table, row and column) is
authenticated with it. The newest secret seals; those before it go on opening.
"""

import secrets
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Sequence

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from service.errors import SealBroken

_FORM = "1"
_KEY_BYTES = 32
_NONCE_BYTES = 12
"""Drawn at random: one key may seal 2**32 texts (NIST SP 800-38D, 8.3)."""
_ID_BYTES = 8


class Sealing:
    """Seals with a key of `secret`; opens also what keys of `former` secrets sealed."""

    def __init__(self, secret: bytes, former: Sequence[bytes] = ()) -> None:
        self._ciphers = {_id_of(each): _cipher_of(each) for each in (secret, *former)}
        self._sealing = _id_of(secret)

    def seal(self, text: bytes, bound_to: str) -> str:
        """`text`, for the place it is bound to (`api_keys/key_1/signing_secret`) and no other."""
        nonce = secrets.token_bytes(_NONCE_BYTES)
        cipher, context = self._ciphers[self._sealing], _context(self._sealing, bound_to)
        sealed = nonce + cipher.encrypt(nonce, text, context)
        return f"{_FORM}.{self._sealing}.{urlsafe_b64encode(sealed).decode()}"

    def open(self, sealed: str, bound_to: str) -> bytes:
        """What was sealed for this place.

        Raises SealBroken for a text that was altered, is of another place, or was sealed under a
        secret that is not known here.
        """
        form, _, rest = sealed.partition(".")
        key_id, _, text = rest.partition(".")
        if form != _FORM or not key_id or not text:
            raise SealBroken(f"what is kept at {bound_to} is no sealed text")
        if (cipher := self._ciphers.get(key_id)) is None:
            raise SealBroken(
                f"{bound_to} was sealed under a SECRET_KEY that is not known here (key {key_id}): "
                "name it in HEADRACE_FORMER_SECRET_KEYS"
            )
        try:
            raw = _decoded(text)
            return cipher.decrypt(
                raw[:_NONCE_BYTES], raw[_NONCE_BYTES:], _context(key_id, bound_to)
            )
        except (InvalidTag, ValueError):
            raise SealBroken(f"what is sealed at {bound_to} was altered or moved there") from None

    def is_newest(self, sealed: str) -> bool:
        """Whether the newest secret sealed it; if not, it wants to be sealed again."""
        return sealed.startswith(f"{_FORM}.{self._sealing}.")


def _decoded(text: str) -> bytes:
    """Of the texts that stand for the same bytes one alone will do."""
    raw = urlsafe_b64decode(text)
    if urlsafe_b64encode(raw).decode() != text:
        raise ValueError("not as it was written")
    return raw


def _context(key_id: str, bound_to: str) -> bytes:
    return f"{_FORM}.{key_id}.{bound_to}".encode()


def _cipher_of(secret: bytes) -> AESGCM:
    return AESGCM(_derived(secret, b"headrace sealing key", _KEY_BYTES))


def _id_of(secret: bytes) -> str:
    """The key's name in what it seals; nothing of the key can be read from it."""
    return _derived(secret, b"headrace sealing key id", _ID_BYTES).hex()


def _derived(secret: bytes, purpose: bytes, length: int) -> bytes:
    return HKDF(algorithm=SHA256(), length=length, salt=None, info=purpose).derive(secret)
