"""The door for events: `POST /api/v1/events` and `/api/v1/events/batch`."""

from typing import Any

import msgspec
from litestar import Request
from litestar.handlers import HTTPRouteHandler

from service.api.answers import Answer, Success, json_answer
from service.api.events.records import BATCH, EVENT_SCHEMA, ONE
from service.api.guards import SENDS
from service.api.openapi import Said, body_of, change, data, refusal
from service.api.problems import problem
from service.api.records import MOST_RECORDS
from service.api.taking import TAKING_PARAMETERS, Taking
from service.errors import InvalidInput
from service.ingest import Rejected, Verdict


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
    """Takes events of callers whose key has the scope `ingest`."""

    def __init__(self, taking: Taking) -> None:
        self._taking = taking

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
        taken = await self._taking.take(request, SENDS, ONE)
        if taken.nothing:
            rejected = taken.verdict.rejected[0]
            raise InvalidInput(rejected.message, rejected.field)
        return _taken(taken.verdict, taken.stored)

    async def take_batch(self, request: Request[Any, Any, Any]) -> Answer:
        """Take up to 1000 events.

        A bad event does not sink the others: it is named in `rejected`. The body is JSON, or NDJSON
        with one event a line.
        """
        taken = await self._taking.take(request, SENDS, BATCH)
        if taken.nothing:
            return _all_rejected(taken.verdict)
        return _taken_batch(taken.verdict, taken.stored)


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


EVENT = {
    "eventType": "user_signup",
    "userId": "user_abc123",
    "sessionId": "session_xyz789",
    "timestamp": "2024-01-30T12:34:56Z",
    "metadata": {"source": "web", "campaign": "summer_promo"},
    "payload": {"referrer": "google.com", "browser": "Chrome"},
    "priority": 1,
    "eventId": "evt_optional_custom_id",
}
BATCH_SCHEMA = {
    "type": "object",
    "required": ["events"],
    "properties": {
        "events": {"type": "array", "items": EVENT_SCHEMA, "minItems": 1, "maxItems": MOST_RECORDS}
    },
}
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
    TAKING_PARAMETERS,
    body_of("One event; plain, gzip or zstd.", json=(EVENT_SCHEMA, EVENT)),
)
_BATCH = Said(
    "events",
    SENDS,
    [data(202, TakenBatch, "Taken, but for those in `rejected`."), *_REFUSALS],
    TAKING_PARAMETERS,
    body_of(
        "The events; plain, gzip or zstd.",
        json=(BATCH_SCHEMA, {"events": [EVENT]}),
        ndjson=(EVENT_SCHEMA, EVENT),
    ),
)
