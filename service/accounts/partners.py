"""Partners: who sent a signed body, by his token and by a signature over the bytes as they came."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

from service.accounts.derivations import SigningKeys, signing_keys
from service.accounts.signing_tokens import SCHEMES, Scheme, SigningToken, SigningTokens
from service.errors import InvalidSignature
from service.shared.nonces import Nonces

_KEPT = 1024
"""Tokens whose keys are not derived again."""
_LONGEST_NONCE = 128

_keys_of = lru_cache(_KEPT)(signing_keys)


@dataclass(frozen=True, slots=True)
class SignedBody:
    """A body as its sender signed it. `signed_at` (Unix seconds) and `nonce` are both there, or
    both empty; where they are, they stand before the body in what is signed: `TIME.NONCE.BODY`.
    """

    account_id: str
    workspace_id: str
    signature: bytes
    algorithm: str
    body: bytes
    signed_at: bytes = b""
    nonce: bytes = b""

    @property
    def text(self) -> bytes:
        """All that the signature covers."""
        return b"%b.%b.%b" % (self.signed_at, self.nonce, self.body) if self.nonce else self.body


class Partners:
    """Says whether a body was signed with a token. One with a nonce is good once, within `window`
    seconds."""

    def __init__(self, tokens: SigningTokens, nonces: Nonces, window: float) -> None:
        self._tokens = tokens
        self._nonces = nonces
        self._window = window

    async def find(self, text: str) -> SigningToken:
        """The live token of this text; it says nothing yet of who sends it.

        Raises Unauthenticated for an unknown one, Forbidden for one expired or revoked.
        """
        return await self._tokens.find(text)

    async def verify(self, text: str, token: SigningToken, signed: SignedBody) -> Scheme:
        """By which derivation the body is signed with `token`, whose text is `text`.

        Raises InvalidSignature; SigningUnavailable when a nonce's first use cannot be told.
        """
        if (signed.account_id, signed.workspace_id) != (token.account_id, token.workspace_id):
            raise InvalidSignature("the token is not one of this account and workspace")
        if token.requires_nonce and not signed.nonce:
            raise InvalidSignature("this token needs x-timestamp and x-nonce, signed with the body")
        scheme = _keys(text, token).scheme_of(signed.signature, signed.text, signed.algorithm)
        if scheme is None:
            raise InvalidSignature("the signature is not that of this body")
        if signed.nonce:
            await self._refuse_again(token, signed)
        self._tokens.note_use(token, scheme)
        return scheme

    async def _refuse_again(self, token: SigningToken, signed: SignedBody) -> None:
        signed_at = _seconds(signed.signed_at)
        if abs(time.time() - signed_at) > self._window:
            raise InvalidSignature(f"it was signed more than {self._window:g} seconds from now")
        if len(signed.nonce) > _LONGEST_NONCE or b"." in signed.nonce:
            about = f"a nonce has at most {_LONGEST_NONCE} characters, and no dot"
            raise InvalidSignature(about)
        mark = b"%b %b" % (token.id.encode(), signed.nonce)
        if not await self._nonces.use(mark, signed_at, int(signed_at + self._window) + 1):
            raise InvalidSignature("this request was taken before")


def _keys(text: str, token: SigningToken) -> SigningKeys:
    accepted: Sequence[Scheme] = (token.scheme,) if token.scheme else SCHEMES
    return _keys_of(text, token.account_id, token.workspace_id, tuple(accepted))


def _seconds(text: bytes) -> int:
    if not text.isdigit() or len(text) > 12:
        raise InvalidSignature("x-timestamp is Unix time in whole seconds")
    return int(text)
