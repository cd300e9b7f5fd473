"""One way from a request with records to the verdict on them, whatever the face."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import msgspec
from litestar import Request
from litestar.types import HTTPScope

from service.api.answers import headers_of
from service.api.bodies import content_type, read_body
from service.api.guards import Gate, Rule
from service.api.openapi import text_parameter
from service.api.rate_limits import count_events
from service.api.records import Records
from service.api.served import parameters_of
from service.errors import InvalidInput
from service.ingest import Ingest, Verdict
from service.settings import Settings
from service.storage.mark import Mark

STORED_SECONDS = 5.0
"""How long `?ack=stored` waits for the store."""

TAKING_PARAMETERS = [
    text_parameter("ack", "`stored` waits until the store has the events.", ["stream", "stored"]),
    text_parameter("Idempotency-Key", "Gives events without ids stable ids.", where="header"),
]
"""What every door takes beside the records."""

Decode = Callable[[bytes, bool], Records]

_LONGEST_IDEMPOTENCY_KEY = 255


@dataclass(frozen=True, slots=True)
class Taken:
    """The verdict on a request's records, and whether the store has them, if that was asked."""

    verdict: Verdict
    stored: bool | msgspec.UnsetType

    @property
    def nothing(self) -> bool:
        """Whether every record was refused."""
        return len(self.verdict.rejected) == len(self.verdict.event_ids)


class Taking:
    """Takes records of callers whom a rule lets in.

    A verdict means that the stream keeps the events on its disk. With `?ack=stored` it also waits
    until the store has them; when that takes longer than 5 seconds they are no less acknowledged.
    """

    def __init__(self, gate: Gate, ingest: Ingest, mark: Mark, settings: Settings) -> None:
        self._gate = gate
        self._ingest = ingest
        self._mark = mark
        self._settings = settings

    async def take(
        self, request: Request[Any, Any, Any], rule: Rule, decoders: Mapping[bytes, Decode]
    ) -> Taken:
        """Take what the body holds; `decoders` by its content type."""
        settings, headers = self._settings, headers_of(request.scope)
        caller = await self._gate.caller(headers, rule)
        ack_stored = _wants_stored(request.scope)
        decode = decoders[content_type(headers, *decoders)]
        self._ingest.turns.look()
        body = await read_body(
            headers, request.receive, settings.max_body_bytes, settings.body_timeout
        )
        async with self._ingest.turns.turn(len(body)):
            records = decode(body, settings.strict)
            if rule.tiered:
                await count_events(request.scope, len(records))
            accepting = self._ingest.accept(caller.tenant, records, _idempotency_key(headers))
            del records, body  # they are freed before the stream answers, while still warm
            verdict = await accepting
        return Taken(verdict, await self._stored(verdict) if ack_stored else msgspec.UNSET)

    async def _stored(self, verdict: Verdict) -> bool:
        position = verdict.position
        return position is not None and await self._mark.wait(position, STORED_SECONDS)


def _wants_stored(scope: HTTPScope) -> bool:
    if not scope["query_string"]:
        return False
    parameters = parameters_of(scope["query_string"])
    if unknown := parameters.keys() - {"ack"}:
        raise InvalidInput(f"`{min(unknown)}` is not a parameter here", min(unknown))
    ack = parameters.get("ack", "stream")
    if ack not in {"stream", "stored"}:
        raise InvalidInput("`ack` must be stream or stored", "ack")
    return ack == "stored"


def _idempotency_key(headers: dict[bytes, bytes]) -> str | None:
    if (key := headers.get(b"idempotency-key")) is None:
        return None
    text = key.decode("latin-1")
    if not 1 <= len(text) <= _LONGEST_IDEMPOTENCY_KEY or not text.isascii():
        raise InvalidInput(
            f"Idempotency-Key must be 1 to {_LONGEST_IDEMPOTENCY_KEY} ASCII characters",
            "idempotency-key",
        )
    return text
