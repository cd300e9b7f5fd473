"""The signed face: a partner's customers and events, each request signed (docs/api-signed.md)."""

import hmac
import secrets
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, Self

import httpx2
import msgspec

from service.client.connection import ClientOptions, Connection, decoded
from service.client.credentials import Flow
from service.client.problems import COME_AGAIN, retry_after, shown
from service.errors import (
    Forbidden,
    HeadraceError,
    InvalidInput,
    RateLimited,
    Retryable,
    TooLarge,
    Unauthenticated,
    UnexpectedAnswer,
    UnsupportedMedia,
)

MOST_RECORDS = 500
"""Records that one request may carry."""

Scheme = Literal["hkdf", "hkdf-swapped", "shell"]
Kind = Literal[
    "customers",
    "extattributes",
    "events/account",
    "events/deposit",
    "events/withdraw",
    "events/gaming-activity",
    "events/wallet-balance",
    "events/refer-friend",
    "events/system-events",
]
_JSON = {"content-type": "application/json"}
_INFO = b"hmac-signing"


@dataclass(frozen=True, slots=True)
class PartnerOptions:
    """How to sign."""

    scheme: Scheme = "hkdf"
    """How the key is derived from the token."""
    algorithm: Literal["sha256", "sha512"] = "sha256"
    nonce: bool = True
    """Sign the time and a text used once as well, so that a request is good once."""
    client: ClientOptions = field(default_factory=ClientOptions)


class Received(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """The records are on the stream's disk; the same ones have the same `record_ids` again."""

    record_ids: list[str]
    count: int
    stream_name: str = ""
    destination: str = ""


class _Refusal(msgspec.Struct, frozen=True):
    message: str = ""
    details: dict[str, Any] = {}


class Signature(httpx2.Auth):
    """Signs the body under a key derived from a token; each try anew."""

    requires_request_body = True

    def __init__(self, token: str, account_id: str, workspace_id: str, how: PartnerOptions) -> None:
        self._token = token
        self._account_id = account_id
        self._workspace_id = workspace_id
        self._how = how
        self._key = derived(how.scheme, token, f"{account_id}{workspace_id}")

    def __repr__(self) -> str:
        return f"Signature({self._account_id!r}, {self._workspace_id!r}, …)"

    def auth_flow(self, request: httpx2.Request) -> Flow:
        request.headers.update(self.signed(request.content))
        yield request

    def signed(self, body: bytes) -> dict[str, str]:
        """The headers of a request with this body."""
        headers = {
            "x-optikpi-token": self._token,
            "x-optikpi-account-id": self._account_id,
            "x-optikpi-workspace-id": self._workspace_id,
            "x-hmac-algorithm": self._how.algorithm,
        }
        if self._how.nonce:
            now, nonce = str(int(time.time())), secrets.token_urlsafe(16)
            headers |= {"x-timestamp": now, "x-nonce": nonce}
            body = f"{now}.{nonce}.".encode() + body
        signature = hmac.new(self._key, body, self._how.algorithm).hexdigest()
        return headers | {"x-hmac-signature": signature}


class Partner:
    """Sends records of an account's workspace. Use it as an async context manager.

    Events carry an `event_id` of their own and count once however often they are sent.
    """

    def __init__(
        self,
        base_url: str,
        token: str,
        account_id: str,
        workspace_id: str,
        options: PartnerOptions | None = None,
    ) -> None:
        how = options or PartnerOptions()
        self._whose = {"account_id": account_id, "workspace_id": workspace_id}
        signature = Signature(token, account_id, workspace_id, how)
        self._connection = Connection(base_url, signature, how.client, _raise_for)

    def __repr__(self) -> str:
        return f"Partner({self._connection!r}, {self._whose})"

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._connection.close()

    async def send(self, kind: Kind, records: Sequence[dict[str, Any]]) -> Received:
        """Send records of one kind, 500 a request; of each request all are taken or none.

        `account_id` and `workspace_id` are filled in. Raises InvalidInput for the first fault of
        the first request that has one: those before it were taken.
        """
        whole = [{**self._whose, **record} for record in records]
        parts = [
            await self._send(kind, whole[start : start + MOST_RECORDS])
            for start in range(0, len(whole), MOST_RECORDS)
        ]
        last = parts[-1] if parts else Received(record_ids=[], count=0)
        ids = [i for part in parts for i in part.record_ids]
        return msgspec.structs.replace(last, record_ids=ids, count=len(ids))

    async def _send(self, kind: Kind, records: Sequence[dict[str, Any]]) -> Received:
        content = msgspec.json.encode(records)
        request = self._connection.post(f"/apigw/ingest/{kind}", content, _JSON)
        answered = await self._connection.call(request)
        received: Received = decoded(answered.response, Received)
        return received


def derived(scheme: Scheme, token: str, salt: str) -> bytes:
    """The key that signs. HKDF-SHA256 (RFC 5869) of one block is two HMACs."""
    if scheme == "shell":
        inner = hmac.new(salt.encode(), token.encode(), "sha256").hexdigest().encode()
        return hmac.new(inner, _INFO + b"01", "sha256").hexdigest().encode()
    material, salted = (token, salt) if scheme == "hkdf" else (salt, token)
    pseudorandom = hmac.new(salted.encode(), material.encode(), "sha256").digest()
    return hmac.new(pseudorandom, _INFO + b"\x01", "sha256").digest()


_KINDS: dict[int, type[HeadraceError]] = {
    400: InvalidInput,
    401: Unauthenticated,
    403: Forbidden,
    413: TooLarge,
    415: UnsupportedMedia,
    429: RateLimited,
}


def _raise_for(response: httpx2.Response) -> None:
    """Raise what the service refused with."""
    if response.is_success:
        return
    refusal = _refusal(response)
    message = refusal.message or f"HTTP {response.status_code} from {shown(response.url)}"
    kind = _KINDS.get(response.status_code, UnexpectedAnswer)
    if response.status_code in COME_AGAIN:
        kind = kind if issubclass(kind, Retryable) else Retryable
        raise kind(message, retry_after(response))
    if issubclass(kind, InvalidInput):
        raise kind(message, refusal.details.get("field"))
    raise kind(message)


def _refusal(response: httpx2.Response) -> _Refusal:
    try:
        return msgspec.json.decode(response.content, type=_Refusal)
    except msgspec.DecodeError:
        return _Refusal()
