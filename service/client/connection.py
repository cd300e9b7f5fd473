"""One service, called as one caller; every request is tried again while that may help."""

import asyncio
import random
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import httpx2
import msgspec
from tenacity import AsyncRetrying, RetryCallState, retry_if_exception, stop_before_delay

from service.client.batches import Encoding
from service.client.problems import LOST, raise_for, shown, unreachable
from service.errors import HeadraceError, UnexpectedAnswer

_SLOWEST_BACKOFF = 5.0
_ON_THIS_MACHINE = frozenset({"127.0.0.1", "localhost", "::1"})

Judge = Callable[[httpx2.Response], None]


@dataclass(frozen=True, slots=True)
class ClientOptions:
    """How to send. Times in seconds."""

    batch: int = 500
    """Events in one request, at most 1000."""
    concurrency: int = 8
    """Requests under way at once."""
    encoding: Encoding = "identity"
    """How bodies are compressed. On one machine it costs more than it saves."""
    timeout: float = 30.0
    """Silence after which one try counts as lost."""
    patience: float = 60.0
    """How long a request is tried again before its error is raised."""
    trust: ssl.SSLContext | bool = True
    """Which certificates will do; True are those of public authorities."""


@dataclass(frozen=True, slots=True)
class Answered:
    """An answer, and how many tries it took."""

    response: httpx2.Response
    tries: int


class Connection:
    """The way to one service.

    A 408, a 429, a 503 and a lost connection are tried again with jittered backoff, never sooner
    than `Retry-After` asks; every try sends the same request. When patience ends, or would end
    before the next try, the last error is raised.
    """

    def __init__(
        self,
        base_url: str,
        auth: httpx2.Auth | None,
        options: ClientOptions,
        judge: Judge = raise_for,
    ) -> None:
        self._options = options
        self._judge = judge
        self._slots = asyncio.Semaphore(options.concurrency)
        self._http = httpx2.AsyncClient(
            base_url=base_url,
            auth=auth,
            timeout=options.timeout,
            verify=options.trust,
            # What listens holds its connection: only requests are counted, by the slots.
            limits=httpx2.Limits(max_keepalive_connections=options.concurrency),
            # A proxy of the environment cannot reach what listens on this machine's loopback.
            trust_env=httpx2.URL(base_url).host not in _ON_THIS_MACHINE,
        )

    def __repr__(self) -> str:
        return repr(shown(self._http.base_url))

    async def close(self) -> None:
        await self._http.aclose()

    def post(self, path: str, content: bytes, headers: dict[str, str]) -> httpx2.Request:
        """A request with a body, to be called."""
        return self._http.build_request("POST", path, content=content, headers=headers)

    def get(self, path: str, parameters: dict[str, Any]) -> httpx2.Request:
        """A request without, to be called."""
        return self._http.build_request("GET", path, params=parameters)

    def delete(self, path: str) -> httpx2.Request:
        """A request to delete, to be called."""
        return self._http.build_request("DELETE", path)

    async def call(self, request: httpx2.Request, judge: Judge | None = None) -> Answered:
        """The first answer that `judge` raises nothing for. Raises what it raised at last."""
        retrying = AsyncRetrying(
            retry=retry_if_exception(is_worth_another),
            wait=_pause_after,
            stop=stop_before_delay(self._options.patience),
            reraise=True,
        )
        async with self._slots:
            async for attempt in retrying:
                with attempt:
                    response = await self._send(request)
                    (judge or self._judge)(response)
                    return Answered(response, attempt.retry_state.attempt_number)
        raise AssertionError("the last error is raised")

    @asynccontextmanager
    async def listening(
        self, path: str, parameters: dict[str, Any], seen: str
    ) -> AsyncIterator[httpx2.EventSource]:
        """A stream of events after the one with the id `seen`; tried once.

        Raises the error that stands in for it, Unreachable when it breaks off.
        """
        headers = {"last-event-id": seen} if seen else {}
        try:
            async with self._http.sse(path, params=parameters, headers=headers) as source:
                if not source.response.is_success:
                    await source.response.aread()
                    self._judge(source.response)
                yield source
        except LOST as error:
            raise unreachable(error) from error
        except httpx2.SSEError as error:
            raise UnexpectedAnswer(f"{shown(self._http.base_url)}: {error}") from error

    @property
    def patience(self) -> float:
        return self._options.patience

    async def _send(self, request: httpx2.Request) -> httpx2.Response:
        try:
            return await self._http.send(request)
        except LOST as error:
            raise unreachable(error) from error


def is_worth_another(error: BaseException) -> bool:
    """Whether the same request may succeed later."""
    return isinstance(error, HeadraceError) and error.retryable


def backoff(tries: int, asked: float = 0.0) -> float:
    """Seconds to wait after the n-th try: doubling, jittered, never sooner than asked for."""
    doubling = min(_SLOWEST_BACKOFF, 0.1 * 2.0 ** min(tries, 10))
    return asked + random.uniform(0.5, 1.0) * doubling  # noqa: S311 (jitter, not a secret)


def _pause_after(state: RetryCallState) -> float:
    error = state.outcome.exception() if state.outcome else None
    return backoff(state.attempt_number, getattr(error, "retry_after", 0.0))


def decoded(response: httpx2.Response, kind: Any) -> Any:
    """The body as a `kind`. Raises UnexpectedAnswer."""
    try:
        return msgspec.json.decode(response.content, type=kind)
    except msgspec.DecodeError as error:
        place = shown(response.url)
        raise UnexpectedAnswer(f"{place} does not answer as Headrace: {error}") from error
