"""The doors: `POST /v1/ingest/events`, `/v1/ingest/events/batch` and `/v1/ingest/metrics`."""

from typing import Any, Literal

import msgspec
from litestar import Request
from litestar.handlers import HTTPRouteHandler

from service.api.answers import Answer, json_answer
from service.api.guards import INGESTS
from service.api.openapi import Said, body_of, change, document
from service.api.records import MOST_RECORDS
from service.api.taking import TAKING_PARAMETERS, Taken, Taking
from service.api.thedata.problems import Details, Refusal, invalid
from service.api.thedata.records import (
    EVENT_NAMES,
    EVENT_SCHEMA,
    EVENTS,
    ONE_EVENT,
    POINT_NAMES,
    POINT_SCHEMA,
    POINTS,
    Names,
)
from service.errors import InvalidInput
from service.ingest import Rejected


class Accepted(msgspec.Struct, kw_only=True):
    """What became of one event. `duplicate`: one of this id was taken before."""

    status: Literal["accepted"] = "accepted"
    event_id: str
    duplicate: bool
    receipt: str | None
    stored: bool | msgspec.UnsetType = msgspec.UNSET


class RefusedRecord(Refusal, kw_only=True):
    """Why one record of a batch was refused; `index` is its place in the request."""

    index: int
    event_id: str | None


class AcceptedBatch(msgspec.Struct, kw_only=True):
    """What became of a batch. `event_ids` has one entry a record, in order."""

    status: Literal["accepted"] = "accepted"
    accepted: int
    duplicates: int
    rejected: list[RefusedRecord]
    event_ids: list[str | None]
    receipt: str | None
    stored: bool | msgspec.UnsetType = msgspec.UNSET


class RefusedDetails(Details, kw_only=True):
    """The error in a body; in one of which no record can be taken the first of all `rejected`."""

    rejected: list[RefusedRecord] | msgspec.UnsetType = msgspec.UNSET


class RefusedBatch(msgspec.Struct):
    """The error of a batch that is refused whole."""

    code: str
    message: str
    details: RefusedDetails


class Door:
    """Takes events and metric points of callers whose key has the scope `ingest`."""

    def __init__(self, taking: Taking) -> None:
        self._taking = taking

    def routes(self) -> list[HTTPRouteHandler]:
        """The handlers."""
        return [
            change("POST", "/v1/ingest/events", self.take_event, _ONE),
            change("POST", "/v1/ingest/events/batch", self.take_events, _BATCH),
            change("POST", "/v1/ingest/metrics", self.take_points, _POINTS),
        ]

    async def take_event(self, request: Request[Any, Any, Any]) -> Answer:
        """Take one event."""
        taken = await self._taking.take(request, INGESTS, ONE_EVENT)
        verdict = taken.verdict
        if taken.nothing:
            refused = _told(verdict.rejected[0], EVENT_NAMES).details
            raise InvalidInput(refused.error, refused.field)
        accepted = Accepted(
            event_id=verdict.event_ids[0] or "",
            duplicate=bool(verdict.duplicates),
            receipt=verdict.receipt,
            stored=taken.stored,
        )
        return json_answer(202, accepted)

    async def take_events(self, request: Request[Any, Any, Any]) -> Answer:
        """Take up to 1000 events.

        A bare array, or NDJSON with one event a line. A bad event does not sink the others: it is
        named in `rejected`.
        """
        return _batch(await self._taking.take(request, INGESTS, EVENTS), EVENT_NAMES)

    async def take_points(self, request: Request[Any, Any, Any]) -> Answer:
        """Take up to 1000 metric points.

        Each is kept as an event of the type `metric`, whose numbers hold its value by its name.
        """
        return _batch(await self._taking.take(request, INGESTS, POINTS), POINT_NAMES)


def _batch(taken: Taken, names: Names) -> Answer:
    verdict = taken.verdict
    rejected = [_told(one, names) for one in verdict.rejected]
    if taken.nothing:
        first = rejected[0].details
        details = RefusedDetails(first.field, first.error, rejected=rejected)
        error = invalid(first.field, first.error)
        return json_answer(400, RefusedBatch(error.code, error.message, details))
    accepted = AcceptedBatch(
        accepted=verdict.accepted,
        duplicates=verdict.duplicates,
        rejected=rejected,
        event_ids=list(verdict.event_ids),
        receipt=verdict.receipt,
        stored=taken.stored,
    )
    return json_answer(202, accepted)


def _told(one: Rejected, names: Names) -> RefusedRecord:
    error = invalid(names.field(one.field), names.text(one.message))
    return RefusedRecord(
        error.code, error.message, error.details, index=one.index, event_id=one.event_id
    )


_EVENT = {
    "event_type": "page_view",
    "timestamp": "2024-02-12T10:00:00Z",
    "source": "web",
    "user_id": "user_123",
    "properties": {"page": "/home", "referrer": "google.com"},
}
_POINT = {
    "name": "response_time",
    "value": 123.4,
    "timestamp": "2024-02-12T10:00:00Z",
    "labels": {"endpoint": "/home"},
}


def _array(schema: dict[str, Any]) -> dict[str, Any]:
    return {"type": "array", "items": schema, "minItems": 1, "maxItems": MOST_RECORDS}


_REFUSALS = [
    document(401, Refusal, "No API key, or not a valid one."),
    document(403, Refusal, "The key has not the scope `ingest`."),
    document(408, Refusal, "The body did not arrive in time."),
    document(413, Refusal, "More bytes or records than allowed."),
    document(415, Refusal, "Another content type or coding than those read here."),
    document(429, Refusal, "More than the caller's tier allows; see `Retry-After`."),
    document(503, Refusal, "The stream did not acknowledge; send the same again."),
]
_ACCEPTED = {"status": "accepted", "event_id": "evt_1", "duplicate": False, "receipt": "mXu0…"}
_ONE = Said(
    "thedata",
    INGESTS,
    [
        document(202, Accepted, "On the stream's disk.", _ACCEPTED),
        document(400, Refusal, "The body is wrong; the details say where."),
        *_REFUSALS,
    ],
    TAKING_PARAMETERS,
    body_of("One event; plain, gzip or zstd.", json=(EVENT_SCHEMA, _EVENT)),
)


def _said_of_batch(about: str, schema: dict[str, Any], example: dict[str, Any]) -> Said:
    return Said(
        "thedata",
        INGESTS,
        [
            document(202, AcceptedBatch, "On the stream's disk, but for those in `rejected`."),
            document(400, RefusedBatch, "The body is wrong, or every record in it."),
            *_REFUSALS,
        ],
        TAKING_PARAMETERS,
        body_of(about, json=(_array(schema), [example]), ndjson=(schema, example)),
    )


_BATCH = _said_of_batch("The events; plain, gzip or zstd.", EVENT_SCHEMA, _EVENT)
_POINTS = _said_of_batch("The points; plain, gzip or zstd.", POINT_SCHEMA, _POINT)
