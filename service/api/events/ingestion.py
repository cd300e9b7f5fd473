"""The door for events: `POST /api/v1/events` and `/api/v1/events/batch`."""

from typing import Any

import msgspec
from litestar import Request
from litestar.handlers import HTTPRouteHandler
from litestar.types import HTTPScope

from service.api.answers import Answer, Success, headers_of, json_answer
from service.api.bodies import JSON, content_type, read_body
from service.api.events.records import DECODERS, EVENT_SCHEMA, MOST_EVENTS, one_event
from service.api.guards import SENDS, Gate
from service.api.openapi import Said, body_of, change, data, refusal, text_parameter
from service.api.problems import problem
from service.api.served import parameters_of
from service.errors import InvalidInput
from service.ingest import Ingest, Rejected, Verdict
from service.settings import Settings
from service.storage.mark import Mark

STORED_SECONDS = 5.0
"""How long `?ack=stored` waits for the store."""

_LONGEST_IDEMPOTENCY_KEY = 255


class Taken(msgspec.Struct, rename="camel"):
    """What became of one event."""

    event_id: str
    accepted: bool
    duplicate: bool
    message: str
    receipt: str | None
    stored: bool | msgspec.UnsetType = msgspec.UNSET


class TakenBatch(msgspec.Struct, rename="camel"):
    """What became of a batch. `eventIds` has one entry an event, in order."""

    accepted: int
    duplicates: int
    total: int
    event_ids: list[str | None]
    message: str
    rejected: list[Rejected]
    receipt: str | None
    stored: bool | msgspec.UnsetType = msgspec.UNSET


class Door:
    """Takes events of callers whose key has the scope `ingest`.

    An answer of 202 or 200 means that the stream keeps the events on its disk. With `?ack=stored`
    it also waits until the store has them and says so in `stored`; when that takes longer than
    5 seconds the events are no less acknowledged, so the answer is the same with `stored: false`.
    """

    def __init__(self, gate: Gate, ingest: Ingest, mark: Mark, settings: Settings) -> None:
        self._gate = gate
        self._ingest = ingest
        self._mark = mark
        self._settings = settings

    def routes(self) -> list[HTTPRouteHandler]:
        """The handlers."""
        return [
            change("POST", "/api/v1/events", self.take_one, _ONE),
            change("POST", "/api/v1/events/batch", self.take_batch, _BATCH),
        ]

    async def take_one(self, request: Request[Any, Any, Any]) -> Answer:
        """Take one event.

        202 for a new one, 200 for one that was taken before under the same `eventId`.
        """
        scope = request.scope
        headers = headers_of(scope)
        caller = await self._gate.caller(headers, SENDS)
        ack_stored = _wants_stored(scope)
        content_type(headers, JSON)
        body = await self._body(request, headers)
        record = one_event(body, self._settings.strict)
        verdict = await self._ingest.accept(caller.tenant, [record], _idempotency_key(headers))
        if verdict.rejected:
            rejected = verdict.rejected[0]
            raise InvalidInput(rejected.message, rejected.field)
        stored = await self._stored(verdict) if ack_stored else msgspec.UNSET
        return _taken(verdict, stored)

    async def take_batch(self, request: Request[Any, Any, Any]) -> Answer:
        """Take up to 1000 events.

        A bad event does not sink the others: it is named in `rejected`. The body is JSON, or NDJSON
        with one event a line.
        """
        scope = request.scope
        headers = headers_of(scope)
        caller = await self._gate.caller(headers, SENDS)
        ack_stored = _wants_stored(scope)
        decode = DECODERS[content_type(headers, *DECODERS)]
        verdict = await self._ingest.accept(
            caller.tenant,
            decode(await self._body(request, headers), self._settings.strict),
            _idempotency_key(headers),
        )
        if len(verdict.rejected) == len(verdict.event_ids):
            return _all_rejected(verdict)
        stored = await self._stored(verdict) if ack_stored else msgspec.UNSET
        return _taken_batch(verdict, stored)

    async def _body(self, request: Request[Any, Any, Any], headers: dict[bytes, bytes]) -> bytes:
        settings = self._settings
        return await read_body(
            headers, request.receive, settings.max_body_bytes, settings.body_timeout
        )

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


def _taken(verdict: Verdict, stored: bool | msgspec.UnsetType) -> Answer:
    event_id = verdict.event_ids[0] or ""
    if verdict.duplicates:
        message = "Event already processed (duplicate)"
        taken = Taken(event_id, False, True, message, verdict.receipt, stored)
        return json_answer(200, Success(data=taken))
    message = "Event accepted for processing"
    taken = Taken(event_id, True, False, message, verdict.receipt, stored)
    return json_answer(202, Success(data=taken))


def _taken_batch(verdict: Verdict, stored: bool | msgspec.UnsetType) -> Answer:
    taken = TakenBatch(
        accepted=verdict.accepted,
        duplicates=verdict.duplicates,
        total=len(verdict.event_ids),
        event_ids=list(verdict.event_ids),
        message="Batch processed successfully",
        rejected=list(verdict.rejected),
        receipt=verdict.receipt,
        stored=stored,
    )
    return json_answer(202, Success(data=taken))


def _all_rejected(verdict: Verdict) -> Answer:
    return problem(
        400,
        InvalidInput.code,
        "none of the events can be taken",
        {"rejected": list(verdict.rejected)},
    )


_EVENT = {
    "eventType": "user_signup",
    "userId": "user_abc123",
    "sessionId": "session_xyz789",
    "timestamp": "2024-01-30T12:34:56Z",
    "metadata": {"source": "web", "campaign": "summer_promo"},
    "payload": {"referrer": "google.com", "browser": "Chrome"},
    "priority": 1,
    "eventId": "evt_optional_custom_id",
}
_BATCH_SCHEMA = {
    "type": "object",
    "required": ["events"],
    "properties": {
        "events": {"type": "array", "items": EVENT_SCHEMA, "minItems": 1, "maxItems": MOST_EVENTS}
    },
}
_PARAMETERS = [
    text_parameter("ack", "`stored` waits until the store has the events.", ["stream", "stored"]),
    text_parameter("Idempotency-Key", "Gives events without ids stable ids.", where="header"),
]
_REFUSALS = [
    refusal(400, "The body is wrong; the message and `details` say where."),
    refusal(401, "No API key, or not a valid one."),
    refusal(403, "The key has not the scope `ingest`."),
    refusal(408, "The body did not arrive in time."),
    refusal(413, "More bytes or events than allowed."),
    refusal(415, "Another content type or coding than those read here."),
    refusal(503, "The stream did not acknowledge; send the same ids again after `Retry-After`."),
]
_TAKEN = {
    "eventId": "evt_abc123",
    "accepted": True,
    "duplicate": False,
    "message": "Event accepted for processing",
    "receipt": "mXu0…",
}
_ONE = Said(
    "events",
    SENDS,
    [
        data(202, Taken, "New.", _TAKEN),
        data(200, Taken, "Duplicate.", {**_TAKEN, "accepted": False, "duplicate": True}),
        *_REFUSALS,
    ],
    _PARAMETERS,
    body_of("One event; plain, gzip or zstd.", json=(EVENT_SCHEMA, _EVENT)),
)
_BATCH = Said(
    "events",
    SENDS,
    [data(202, TakenBatch, "Taken, but for those in `rejected`."), *_REFUSALS],
    _PARAMETERS,
    body_of(
        "The events; plain, gzip or zstd.",
        json=(_BATCH_SCHEMA, {"events": [_EVENT]}),
        ndjson=(EVENT_SCHEMA, _EVENT),
    ),
)
