"""One request until its outcome is known: tried again while that may help, under the same key."""

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import blake2b
from typing import Self

import httpx2
import stamina
from stamina.instrumentation import set_on_retry_hooks

from service.delivery.answers import Answer, each, hide, verdict
from service.delivery.authentication import (
    ClientCredentials,
    Transport,
    authentication,
    on_this_machine,
)
from service.delivery.config import Api
from service.delivery.gate import Gate
from service.delivery.outcomes import Piece, Retry, Stopped, Verdict
from service.delivery.pace import Pace
from service.errors import InvalidInput

_SLOWEST_BACKOFF = 60.0
_SINGLY = frozenset({400, 409, 413, 422})
"""Answers to several rows that may be another one for each of them."""


@dataclass(frozen=True, slots=True)
class Tried:
    """How a request ended, and whether an earlier try of it may have been carried out."""

    answer: Answer
    doubtful: bool


class Sender:
    """The way to one API. Use it as a context; `name` is what all its keys are made of, and
    `transport` what connects, where it is not to be the usual one."""

    def __init__(self, api: Api, name: bytes, transport: Transport | None = None) -> None:
        set_on_retry_hooks([])  # reports say what was tried; a log line for each try says too much
        told = api.settings
        self._api = api
        self._name = name
        self.gate = Gate(told)
        self.pace = Pace(told)
        self._auth = authentication(api.authentication, told.timeout, transport)
        self._http = httpx2.AsyncClient(
            auth=self._auth,
            timeout=told.timeout,
            transport=transport,
            headers={"content-type": "application/json", **api.headers},
            limits=httpx2.Limits(max_connections=told.max_concurrent_requests),
            trust_env=not on_this_machine(api.rows_url),
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._http.aclose()
        if isinstance(self._auth, ClientCredentials):
            await self._auth.close()

    async def check_health(self) -> str:
        """Ask the API's health endpoint, if there is one; what is said of it.

        Raises Stopped when it does not answer, or not well.
        """
        if "health" not in self._api.endpoints:
            return "no health endpoint"
        url = self._api.url_of("health")
        try:
            answer = await self._http.get(url)
        except (httpx2.HTTPError, httpx2.InvalidURL, InvalidInput, Retry) as error:
            raise Stopped(f"{url} does not answer: {_told(error)}") from None
        if not answer.is_success:
            raise Stopped(f"{url} answers {answer.status_code}")
        return f"{url} answers {answer.status_code}"

    async def send(self, rows: Sequence[Piece]) -> Sequence[Verdict]:
        """What became of each row. Raises Stopped; every row may be sent again then."""
        try:
            tried = await self._tried(rows)
        except Retry as error:
            doubt = "; it may have been created" if error.lost else ""
            reason = f"{hide(error.reason, self._hidden(rows))}{doubt}"
            return [Verdict("failed", error.status, reason)] * len(rows)
        if len(rows) > 1:
            if answers := each(tried.answer, len(rows)):
                return [self._of_one(*pair) for pair in zip(answers, rows, strict=True)]
            if tried.answer.status in _SINGLY:
                return [(await self.send([row]))[0] for row in rows]
        return [self._judged(tried, row) for row in rows]

    async def _tried(self, rows: Sequence[Piece]) -> Tried:
        """The first answer that is worth no other try. Raises the last Retry, or Stopped."""
        told, doubtful = self._api.settings, False
        body, key = self._body(rows), self.key_of([row.name for row in rows])
        async for attempt in stamina.retry_context(
            on=_again,
            attempts=told.retry_attempts + 1,
            timeout=None,
            wait_initial=told.backoff_factor,
            wait_max=_SLOWEST_BACKOFF,
            wait_jitter=told.backoff_factor / 2,
        ):
            with attempt:
                try:
                    return Tried(await self._try(body, key, self._hidden(rows)), doubtful)
                except Retry as error:
                    doubtful = doubtful or error.lost
                    error.lost = doubtful
                    raise
        raise AssertionError("the last error is raised")

    async def _try(self, body: bytes, key: str, hidden: Sequence[str]) -> Answer:
        async with self.gate.passing():
            began = time.monotonic()
            good = False
            try:
                answer = await self._exchange(body, key)
                verdict(answer, self._api.settings.retry_on_status, hidden)
                good = True
                return answer
            finally:
                self.pace.note(time.monotonic() - began, good)

    async def _exchange(self, body: bytes, key: str) -> Answer:
        headers = {self._api.idempotency_header: key}
        try:
            async with asyncio.timeout(self._api.settings.timeout):
                answer = await self._http.request(
                    self._api.method, self._api.rows_url, content=body, headers=headers
                )
        except (httpx2.ConnectError, httpx2.ConnectTimeout, httpx2.PoolTimeout) as error:
            raise Retry(f"no connection: {_told(error)}") from None
        except (httpx2.HTTPError, TimeoutError) as error:
            raise Retry(f"no whole answer: {_told(error)}", lost=True) from None
        except (httpx2.InvalidURL, InvalidInput) as error:
            raise Stopped(f"{self._api.rows_url}: {error}") from None
        names = {name.lower(): value for name, value in answer.headers.items()}
        return Answer(answer.status_code, names, answer.content)

    def _judged(self, tried: Tried, row: Piece) -> Verdict:
        found = verdict(tried.answer, (), self._hidden([row]))
        if tried.doubtful and found.outcome == "duplicate":
            reason = f"{found.reason} (an earlier try, whose answer was lost, may have created it)"
            return Verdict("duplicate", found.status, reason.strip())
        return found

    def _of_one(self, answer: Answer, row: Piece) -> Verdict:
        """What one of several answers says; trouble with one row alone is no reason to stop."""
        try:
            return verdict(answer, self._api.settings.retry_on_status, self._hidden([row]))
        except (Retry, Stopped) as error:
            return Verdict("failed", answer.status, str(error))

    def key_of(self, names: Sequence[str]) -> str:
        """The idempotency key of a request: a hash of the file and of the rows in it."""
        rows = ",".join(names).encode()
        return blake2b(self._name + b"\0" + rows, digest_size=16).hexdigest()

    def _body(self, rows: Sequence[Piece]) -> bytes:
        if self._api.settings.rows_per_request == 1:
            return rows[0].body
        return b"[%b]" % b",".join(row.body for row in rows)

    def _hidden(self, rows: Sequence[Piece]) -> Sequence[str]:
        return [*self._api.secrets, *(text for row in rows for text in row.hidden)]


def _again(error: Exception) -> bool:
    """Whether to try again; how long an answer asks to wait is the gate's to keep."""
    return isinstance(error, Retry)


def _told(error: Exception) -> str:
    return f"{type(error).__name__} {error}".strip()
