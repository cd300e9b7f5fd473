"""The client: one connection pool, one way to send, the questions of the events face."""

import asyncio
import itertools
import random
import ssl
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Self

import httpx2
import msgspec

from service.client.answers import (
    Answer,
    BatchVerdict,
    Data,
    Metrics,
    Numbers,
    Receipt,
    Rejection,
    Sent,
    Stats,
    joined,
)
from service.client.batches import MOST_EVENTS, Encoding, Outgoing, body, cut, give_ids, headers
from service.client.problems import LOST, problem_of, raise_for, unreachable
from service.errors import Retryable, UnexpectedAnswer

_SLOWEST_BACKOFF = 5.0
_ON_THIS_MACHINE = frozenset({"127.0.0.1", "localhost", "::1"})


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


class Question(msgspec.Struct, kw_only=True, frozen=True, rename="camel", omit_defaults=True):
    """What to ask about: `time_range` (15m, 1h, 24h, 7d), or `start` and `end`; and filters."""

    time_range: str | None = None
    start: datetime | str | None = None
    end: datetime | str | None = None
    interval: str | None = None
    tz: str | None = None
    event_type: str | None = None
    user_id: str | None = None
    limit: int | None = None
    after: str | None = None
    """A receipt: answer only when its events are counted."""


class Client:
    """Talks to one service as one caller. Use it as an async context manager.

    Every method raises the errors of `service.errors` as the service answered them. A 429, a 503
    and a lost connection are tried again with jittered backoff, never sooner than `Retry-After`
    asks; when patience ends, the last error is raised: Unreachable if nothing answered.
    """

    def __init__(
        self, base_url: str, api_key: str | None = None, options: ClientOptions | None = None
    ) -> None:
        self._options = options or ClientOptions()
        if not 1 <= self._options.batch <= MOST_EVENTS:
            raise ValueError(f"a batch is 1 to {MOST_EVENTS} events, not {self._options.batch}")
        self._slots = asyncio.Semaphore(self._options.concurrency)
        self._http = httpx2.AsyncClient(
            base_url=base_url,
            headers={"x-api-key": api_key} if api_key else {},
            timeout=self._options.timeout,
            verify=self._options.trust,
            limits=httpx2.Limits(max_connections=self._options.concurrency),
            # A proxy of the environment cannot reach what listens on this machine's loopback.
            trust_env=httpx2.URL(base_url).host not in _ON_THIS_MACHINE,
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._http.aclose()

    async def send(self, events: Sequence[Outgoing]) -> Sent:
        """Send events in batches and tell what became of each.

        Each event without an id is given one in place before the first try, and every further try
        sends the same bytes: whatever is lost on the way, an event counts once, also when the
        caller sends the same objects again after an error.
        """
        give_ids(events)
        batches = list(cut(events, self._options.batch))
        try:
            async with asyncio.TaskGroup() as group:
                tasks = [group.create_task(self._send_batch(batch)) for batch in batches]
        except BaseExceptionGroup as failures:
            raise failures.exceptions[0] from None
        return joined(
            _moved(task.result(), number * self._options.batch) for number, task in enumerate(tasks)
        )

    async def metrics(self, question: Question) -> Metrics:
        """The metrics document."""
        return await self._get("/api/v1/analytics/metrics", _parameters(question), Metrics)

    async def numbers(self, name: str, question: Question, by: str | None = None) -> Numbers:
        """The numeric payload field `name` summed up, for each value of `by` if given."""
        parameters = _parameters(question) | {"name": name} | ({"by": by} if by else {})
        return await self._get("/api/v1/analytics/numbers", parameters, Numbers)

    async def receipt(self, token: str) -> Receipt:
        """How far the events behind a receipt have come."""
        return await self._get(f"/api/v1/receipts/{token}", {}, Receipt)

    async def stats(self) -> Stats:
        """The ingestion statistics of the caller's environment."""
        return await self._get("/api/v1/events/stats", {}, Stats)

    async def _send_batch(self, events: Sequence[Outgoing]) -> Sent:
        request = self._http.build_request(
            "POST",
            "/api/v1/events/batch",
            content=body(events, self._options.encoding),
            headers=headers(self._options.encoding),
        )
        async with self._slots:
            response, tries = await self._persist(request)
        verdict = _all_rejected(response) or _decode(response, BatchVerdict)
        return Sent(
            accepted=verdict.accepted,
            duplicates=verdict.duplicates,
            event_ids=verdict.event_ids,
            rejected=verdict.rejected,
            receipts=[verdict.receipt] if verdict.receipt else [],
            tries=tries,
        )

    async def _get(self, path: str, parameters: dict[str, Any], kind: type[Data]) -> Data:
        request = self._http.build_request("GET", path, params=parameters)
        async with self._slots:
            response, _ = await self._persist(request)
        return _decode(response, kind)

    async def _persist(self, request: httpx2.Request) -> tuple[httpx2.Response, int]:
        """The answer, and how many tries it took. Every try sends the same request."""
        clock = asyncio.get_running_loop().time
        deadline = clock() + self._options.patience
        for tries in itertools.count(1):
            try:
                return await self._try(request), tries
            except Retryable as error:
                pause = _backoff(tries, error.retry_after)
                if clock() + pause > deadline:
                    raise
                await asyncio.sleep(pause)
        raise AssertionError("count() never ends")

    async def _try(self, request: httpx2.Request) -> httpx2.Response:
        try:
            response = await self._http.send(request)
        except LOST as error:
            raise unreachable(error) from error
        if not _all_rejected(response):
            raise_for(response)
        return response


def _moved(sent: Sent, offset: int) -> Sent:
    """The answer about a later batch, its places counted from the start of all that was sent."""
    rejected = [msgspec.structs.replace(r, index=r.index + offset) for r in sent.rejected]
    return msgspec.structs.replace(sent, rejected=rejected)


def _parameters(question: Question) -> dict[str, Any]:
    parameters: dict[str, Any] = msgspec.to_builtins(question)
    return parameters


def _backoff(tries: int, asked: float) -> float:
    """Seconds to wait after the n-th try: doubling, jittered, never sooner than asked for."""
    doubling = min(_SLOWEST_BACKOFF, 0.1 * 2.0**tries)
    return asked + random.uniform(0.5, 1.0) * doubling  # noqa: S311 (jitter, not a secret)


def _decode(response: httpx2.Response, kind: type[Data]) -> Data:
    try:
        return msgspec.json.decode(response.content, type=Answer[kind]).data  # type: ignore[valid-type]
    except msgspec.DecodeError as error:
        raise UnexpectedAnswer(f"{response.url} does not answer as Headrace: {error}") from error


def _all_rejected(response: httpx2.Response) -> BatchVerdict | None:
    """The verdict of a batch none of whose events was taken, which comes as an error."""
    if response.status_code != httpx2.codes.BAD_REQUEST:
        return None
    details = problem_of(response).details
    if not isinstance(details, dict) or not details.get("rejected"):
        return None
    rejected = msgspec.convert(details["rejected"], list[Rejection])
    ids = [r.event_id for r in rejected]
    return BatchVerdict(accepted=0, duplicates=0, event_ids=ids, rejected=rejected)
