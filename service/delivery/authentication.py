"""How requests say who sends them."""

import asyncio
from collections.abc import AsyncGenerator

import httpx2
from authlib.integrations.base_client import OAuthError
from authlib.integrations.httpx_client import AsyncOAuth2Client

from service.delivery.config import ApiKey, Authentication, Basic, BearerToken, OAuth2
from service.delivery.outcomes import Retry, Stopped

Transport = httpx2.AsyncBaseTransport


class Header(httpx2.Auth):
    """The same header with every request."""

    def __init__(self, name: str, value: str) -> None:
        self._name, self._value = name, value

    async def async_auth_flow(
        self, request: httpx2.Request
    ) -> AsyncGenerator[httpx2.Request, httpx2.Response]:
        request.headers[self._name] = self._value
        yield request


class ClientCredentials(httpx2.Auth):
    """An access token (RFC 6749, 4.4): fetched once for all requests, renewed before it ends, and
    once more when the API does not accept it."""

    def __init__(self, told: OAuth2, timeout: float, transport: Transport | None) -> None:
        self._client = AsyncOAuth2Client(
            told.client_id,
            told.client_secret,
            scope=told.scope,
            token_endpoint=told.token_url,
            token_endpoint_auth_method="client_secret_post",  # noqa: S106 (as the form has it)
            grant_type="client_credentials",
            timeout=timeout,
            transport=transport,
            trust_env=not on_this_machine(told.token_url),
        )
        self._fetching = asyncio.Lock()

    async def async_auth_flow(
        self, request: httpx2.Request
    ) -> AsyncGenerator[httpx2.Request, httpx2.Response]:
        token = await self._token()
        request.headers["authorization"] = f"Bearer {token}"
        answer = yield request
        if answer.status_code == 401:
            request.headers["authorization"] = f"Bearer {await self._token(instead_of=token)}"
            yield request

    async def close(self) -> None:
        await self._client.aclose()

    async def _token(self, instead_of: str = "") -> str:
        async with self._fetching:
            try:
                if self._client.token is None or self._held == instead_of:
                    await self._client.fetch_token()
                await self._client.ensure_active_token(self._client.token)
                return self._held
            except OAuthError as error:
                raise Stopped(f"no access token: {error.error}") from None
            except (httpx2.HTTPError, ValueError, KeyError) as error:
                raise Retry(f"no access token: {type(error).__name__}") from None

    @property
    def _held(self) -> str:
        return str(self._client.token["access_token"])


def authentication(
    told: Authentication, timeout: float, transport: Transport | None
) -> httpx2.Auth | None:
    """What signs requests as the configuration tells."""
    match told:
        case BearerToken():
            return Header("authorization", f"Bearer {told.bearer_token or told.api_key}")
        case ApiKey():
            return Header(told.header_name, told.api_key)
        case Basic():
            return httpx2.BasicAuth(told.username, told.password)
        case OAuth2():
            return ClientCredentials(told, timeout, transport)
    return None


def on_this_machine(url: str) -> bool:
    """Whether it names this machine's loopback, which no proxy of the environment can reach."""
    return httpx2.URL(url).host in {"127.0.0.1", "localhost", "::1"}
