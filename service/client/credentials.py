"""Who calls: an API key, a key that signs, a token. None of them shows its secret."""

import hashlib
import hmac
import secrets
import time
from base64 import b64encode
from collections.abc import Generator

import httpx2

Flow = Generator[httpx2.Request, httpx2.Response, None]


class ApiKey(httpx2.Auth):
    """A key that is sent along (`evp_…`)."""

    def __init__(self, text: str) -> None:
        self._text = text

    def __repr__(self) -> str:
        return "ApiKey(…)"

    def auth_flow(self, request: httpx2.Request) -> Flow:
        request.headers["x-api-key"] = self._text
        yield request


class Token(httpx2.Auth):
    """The token of a session or of a service account."""

    def __init__(self, text: str, environment: str | None = None) -> None:
        self._text = text
        self._environment = environment

    def __repr__(self) -> str:
        return "Token(…)"

    def auth_flow(self, request: httpx2.Request) -> Flow:
        request.headers["authorization"] = f"Bearer {self._text}"
        if self._environment:
            request.headers["x-env-id"] = self._environment
        yield request


class SigningKey(httpx2.Auth):
    """A key that signs and is never sent (docs/request-signing.md); each try is signed anew."""

    requires_request_body = True

    def __init__(self, key_id: str, secret: str) -> None:
        self._key_id = key_id
        self._secret = secret.encode()

    def __repr__(self) -> str:
        return f"SigningKey({self._key_id!r}, …)"

    def auth_flow(self, request: httpx2.Request) -> Flow:
        path = request.url.raw_path.decode("ascii").removesuffix("?")
        request.headers.update(self.signed(request.method, path, request.content))
        yield request

    def signed(
        self, method: str, path: str, body: bytes, now: int | None = None, nonce: str | None = None
    ) -> dict[str, str]:
        """The headers of a request; `path` with its query, as it is sent."""
        now, nonce = now or int(time.time()), nonce or secrets.token_urlsafe(16)
        sum_ = b64encode(hashlib.sha256(body).digest()).decode()
        digest = f"sha-256=:{sum_}:" if body else ""
        text = "\n".join(("v1", str(now), nonce, method, path, digest))
        signature = hmac.new(self._secret, text.encode(), "sha256").hexdigest()
        said = f"v=1,key={self._key_id},time={now},nonce={nonce},signature={signature}"
        return {"authorization": f"HMAC-SHA256 {said}"} | (
            {"content-digest": digest} if digest else {}
        )


Credential = ApiKey | Token | SigningKey


def credential_of(given: str | Credential | None) -> Credential | None:
    """A text is an API key."""
    return ApiKey(given) if isinstance(given, str) else given
