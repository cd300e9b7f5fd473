"""Signatures of the signed face: HMAC of a body under a key derived from a token.

Three derivations are in use among clients, and each is accepted. `salt` is the account's id with
the workspace's behind it.

    hkdf          HKDF-SHA256 (RFC 5869): the token is the key material, the salt is the salt
    hkdf-swapped  the same with the two exchanged
    shell         two HMACs over texts, as openssl's command line chains them; hexadecimal text,
                  not bytes, is the key of the next step
"""

import hmac
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from service.accounts.signing_tokens import SCHEMES, Scheme
from service.errors import InvalidInput

ALGORITHMS = ("sha256", "sha512")
"""Digests that a signature may be made with; keys are derived with SHA-256 for either."""

_INFO = b"hmac-signing"
_KEY_BYTES = 32


@dataclass(frozen=True, slots=True)
class SigningKeys:
    """The keys of one token in one workspace, derived once."""

    keys: Mapping[Scheme, bytes]

    def scheme_of(self, signature: bytes, text: bytes, algorithm: str) -> Scheme | None:
        """By which derivation `signature` (lower-case hexadecimal) signs `text`; None by none.

        All of them are computed and compared, in constant time, whichever it is. Raises
        InvalidInput for another algorithm.
        """
        if algorithm not in ALGORITHMS:
            raise InvalidInput(f"the algorithm is one of {', '.join(ALGORITHMS)}", "algorithm")
        found: Scheme | None = None
        for scheme, key in self.keys.items():
            made = hmac.new(key, text, algorithm).hexdigest().encode()
            if hmac.compare_digest(made, signature):
                found = scheme
        return found


def signing_keys(
    token: str, account_id: str, workspace_id: str, schemes: Sequence[Scheme] = SCHEMES
) -> SigningKeys:
    """The keys of a token; `schemes` are those that it accepts."""
    salt = f"{account_id}{workspace_id}".encode()
    return SigningKeys({scheme: _derived(scheme, token.encode(), salt) for scheme in schemes})


def _derived(scheme: Scheme, token: bytes, salt: bytes) -> bytes:
    if scheme == "hkdf":
        return _hkdf(token, salt)
    if scheme == "hkdf-swapped":
        return _hkdf(salt, token)
    pseudorandom = hmac.new(salt, token, "sha256").hexdigest().encode()
    return hmac.new(pseudorandom, _INFO + b"01", "sha256").hexdigest().encode()


def _hkdf(material: bytes, salt: bytes) -> bytes:
    return HKDF(algorithm=SHA256(), length=_KEY_BYTES, salt=salt, info=_INFO).derive(material)
