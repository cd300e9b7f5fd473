"""Who calls, and whether they may: API keys and their scopes."""

from typing import Protocol

from service.accounts.keys import Principal
from service.errors import Forbidden, InvalidKey, MissingKey


class Verifier(Protocol):
    """What the gate needs of the keys."""

    async def verify(self, text: str) -> Principal: ...


class Openness(Protocol):
    """What the gate needs of the environments."""

    def public_tenant(self) -> str | None:
        """The environment whose metrics anybody may see, if there is one."""
        ...


class Gate:
    """Lets a request in as somebody, or not at all.

    A key is read from `x-api-key`, or from `Authorization: Bearer evp_…`.
    """

    def __init__(self, keys: Verifier, environments: Openness) -> None:
        self._keys = keys
        self._environments = environments

    async def caller(self, headers: dict[bytes, bytes], *scopes: str) -> Principal:
        """Whose key came with the request; it needs one of `scopes`.

        Raises MissingKey, InvalidKey or Forbidden.
        """
        text = key_of(headers)
        if text is None:
            raise MissingKey("send an API key in the header x-api-key")
        principal = await self._keys.verify(text)
        if not any(scope in principal.scopes for scope in scopes):
            raise Forbidden(f"this needs a key with the scope {' or '.join(scopes)}")
        return principal

    async def reader(self, headers: dict[bytes, bytes]) -> str:
        """The tenant whose metrics the caller sees: the key's, or without one the public one."""
        if b"x-api-key" not in headers and b"authorization" not in headers:
            if (tenant := self._environments.public_tenant()) is None:
                raise MissingKey("these metrics are not public: send an API key in x-api-key")
            return tenant
        return (await self.caller(headers, "read")).tenant


def key_of(headers: dict[bytes, bytes]) -> str | None:
    """The key's text; None when the request carries none. Raises InvalidKey for another scheme."""
    if (text := headers.get(b"x-api-key")) is not None:
        return text.decode("latin-1").strip()
    if (authorization := headers.get(b"authorization")) is None:
        return None
    scheme, _, credential = authorization.decode("latin-1").partition(" ")
    if scheme.lower() != "bearer":
        raise InvalidKey("of Authorization only the scheme Bearer is understood")
    return credential.strip()
