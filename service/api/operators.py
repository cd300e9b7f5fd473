"""`/-/…`: what an operator asks of a running service, with the token that its data directory holds.

The command line uses them (`headrace verify`, `headrace doctor`, `headrace dead-letters`).
"""

import asyncio
import hmac
import os
from base64 import b64encode
from collections.abc import Awaitable, Callable
from typing import Any

import msgspec
from litestar import Request
from litestar.handlers import HTTPRouteHandler

from service import dead_letters
from service.api.answers import Answer, Success, headers_of, iso, json_answer
from service.api.guards import OPEN, OPERATOR, key_of
from service.api.openapi import Said, change, data, document, read, refusal, text_parameter
from service.api.still import Still
from service.condition import Condition, condition_of
from service.errors import InvalidInput, Unauthenticated
from service.inspection import inspect
from service.migrate import Migratable
from service.rollup import Finding, Rollup
from service.stream.protocol import DeadLetter, Stream
from service.telemetry import CONTENT_TYPE, exposition


class Inspection(msgspec.Struct):
    """What `headrace verify` prints."""

    findings: list[Finding]


class DeadLetterReport(msgspec.Struct):
    """A message put aside; `body` is base64."""

    number: int
    position: int
    environment: str
    reason: str
    time: str
    body: str


class DeadLetterList(msgspec.Struct, rename="camel"):
    """The oldest dead letters."""

    dead_letters: list[DeadLetterReport]


class Telemetry:
    """The telemetry of this process, open to all where PROMETHEUS_ENABLED is set.

    What is not counted as it happens is measured by `looks` whenever somebody asks.
    """

    def __init__(self, served: bool, *looks: Callable[[], Awaitable[object]]) -> None:
        self._served = served
        self._looks = looks

    def routes(self) -> list[HTTPRouteHandler]:
        """The handlers."""
        return read("/-/metrics", self.metrics, _METRICS) if self._served else []

    async def metrics(self, request: Request[Any, Any, Any]) -> Answer:
        """The telemetry in Prometheus' text form."""
        await asyncio.gather(*(look() for look in self._looks))
        return Answer(200, exposition(), (b"content-type", CONTENT_TYPE.encode()))


class Operators:
    """The routes for operators. `token` opens them; nobody else has it."""

    def __init__(
        self,
        token: str,
        rollup: Rollup,
        store: Migratable,
        stream: Stream,
    ) -> None:
        self._token = token
        self._rollup = rollup
        self._store = store
        self._stream = stream

    def routes(self) -> list[HTTPRouteHandler]:
        """The handlers."""
        return [
            *read("/-/verify", self.verify, _VERIFY),
            *read("/-/condition", self.condition, _CONDITION),
            change("POST", "/-/still", self.hold_still, _STILL),
            *read("/-/dead-letters", self.list_letters, _LIST),
            change("POST", "/-/dead-letters/{number:str}/replay", self.replay, _CHANGE),
            change("DELETE", "/-/dead-letters/{number:str}", self.discard, _CHANGE),
        ]

    async def verify(self, request: Request[Any, Any, Any]) -> Answer:
        """Compare rollups with raw rows, and the stream's offset with the store."""
        self._admit(request)
        findings = await inspect(self._rollup, self._store, self._stream)
        return json_answer(200, Success(data=Inspection(list(findings))))

    async def condition(self, request: Request[Any, Any, Any]) -> Answer:
        """Say how far the store is; `headrace doctor` asks."""
        self._admit(request)
        return json_answer(200, Success(data=await condition_of(self._store, os.getpid())))

    async def hold_still(self, request: Request[Any, Any, Any]) -> Answer:
        """Write nothing to the event store while the caller stays; `headrace backup` asks."""
        self._admit(request)
        return Still(self._store)

    async def list_letters(self, request: Request[Any, Any, Any]) -> Answer:
        """List the dead letters."""
        self._admit(request)
        letters = await dead_letters.listed(self._stream)
        return json_answer(
            200, Success(data=DeadLetterList([report_of(letter) for letter in letters]))
        )

    async def replay(self, request: Request[Any, Any, Any]) -> Answer:
        """Put a dead letter on the stream again."""
        self._admit(request)
        number = _number(request)
        await dead_letters.replay(self._stream, number)
        return json_answer(200, Success(data={"number": number}))

    async def discard(self, request: Request[Any, Any, Any]) -> Answer:
        """Forget a dead letter."""
        self._admit(request)
        number = _number(request)
        await dead_letters.discard(self._stream, number)
        return json_answer(200, Success(data={"number": number}))

    def _admit(self, request: Request[Any, Any, Any]) -> None:
        token = key_of(headers_of(request.scope)) or ""
        if not hmac.compare_digest(token.encode(), self._token.encode()):
            raise Unauthenticated("this route is for the operator of this data directory")


def _number(request: Request[Any, Any, Any]) -> int:
    text = request.scope["path_params"]["number"]
    if not (text.isascii() and text.isdigit() and len(text) < 19):
        raise InvalidInput("a dead letter has a whole number", "number")
    return int(text)


def report_of(letter: DeadLetter) -> DeadLetterReport:
    """A dead letter as it is told."""
    return DeadLetterReport(
        number=letter.sequence,
        position=letter.origin,
        environment=letter.tenant,
        reason=letter.reason,
        time=iso(letter.time),
        body=b64encode(letter.body).decode(),
    )


_REFUSED = refusal(401, "Not the operator's token.")
_NUMBER = text_parameter("number", "The dead letter's number.", where="path")
_METRICS = Said("operators", OPEN, [document(200, str, "The series.")])
_VERIFY = Said("operators", OPERATOR, [data(200, Inspection, "What was compared."), _REFUSED])
_CONDITION = Said(
    "operators",
    OPERATOR,
    [data(200, Condition, "How far the store is."), _REFUSED, refusal(503, "The store is away.")],
)
_STILL = Said(
    "operators",
    OPERATOR,
    [
        document(200, str, "A line when nothing is written any more.", media_type="text/plain"),
        _REFUSED,
        refusal(409, "The event store is a server."),
    ],
)
_LIST = Said("operators", OPERATOR, [data(200, DeadLetterList, "The dead letters."), _REFUSED])
_CHANGE = Said(
    "operators",
    OPERATOR,
    [
        data(200, dict[str, int], "Done."),
        refusal(400, "The number of a letter is a whole one."),
        _REFUSED,
        refusal(404, "There is no such letter."),
    ],
    [_NUMBER],
)
