"""Segment's calls: `POST /v1/track`, `identify`, `page`, `screen`, `group`, `alias`, `batch`."""

from collections.abc import Callable
from typing import Any, Literal

import msgspec
from litestar import Request
from litestar.handlers import HTTPRouteHandler

from service.api.answers import Answer, json_answer
from service.api.dropins.arrivals import DROPS_IN, MOST_RECORDS, Arrivals, Protocol
from service.api.dropins.problems import (
    SEGMENT,
    RefusedRecord,
    SegmentRefusal,
    refused_records,
)
from service.api.dropins.segment_records import BATCH, CALLS, call_of
from service.api.openapi import Said, body_of, change, document
from service.ingest import Verdict


class Taken(msgspec.Struct, kw_only=True):
    """What became of the records; beyond `success` it is ours."""

    success: Literal[True] = True
    accepted: int
    duplicates: int
    rejected: list[RefusedRecord]
    receipt: str | None


class SegmentDoors:
    """Takes the calls of Segment's clients."""

    def __init__(self, arrivals: Arrivals) -> None:
        self._arrivals = arrivals

    def routes(self) -> list[HTTPRouteHandler]:
        """The handlers."""
        calls = [
            change("POST", f"/v1/{kind}", self._door(call_of(kind), kind), _said(_ONE))
            for kind in CALLS
        ]
        return [*calls, change("POST", "/v1/batch", self._door(BATCH, "batch"), _said(_MANY))]

    def _door(self, protocol: Protocol, kind: str) -> Callable[..., Any]:
        async def take(request: Request[Any, Any, Any]) -> Answer:
            arrival = await self._arrivals.take(request, protocol)
            answer = _answer(arrival.verdict, protocol)
            return answer.plus(*arrival.passage.headers())

        take.__doc__ = f"Take a Segment {kind} call.\n\nAs Segment's own clients send it."
        return take


def _answer(verdict: Verdict, protocol: Protocol) -> Answer:
    rejected = refused_records(verdict, protocol.names)
    if len(rejected) == len(verdict.event_ids):
        return SEGMENT.nothing_taken(rejected)
    taken = Taken(
        accepted=verdict.accepted,
        duplicates=verdict.duplicates,
        rejected=rejected,
        receipt=verdict.receipt,
    )
    return json_answer(200, taken)


_CALL = {
    "messageId": "ajs-1",
    "userId": "ada",
    "timestamp": "2024-02-12T10:00:00Z",
    "context": {"library": {"name": "analytics-python"}},
}
_TRACK = {**_CALL, "event": "Order Completed", "properties": {"revenue": 12.5}}
_MESSAGE = {
    "type": "object",
    "properties": {
        "messageId": {"type": "string", "maxLength": 128},
        "userId": {"type": "string", "maxLength": 128},
        "anonymousId": {"type": "string", "maxLength": 128},
        "timestamp": {"type": "string", "format": "date-time"},
        "context": {"type": "object"},
        "properties": {"type": "object"},
        "traits": {"type": "object"},
        "event": {"type": "string", "maxLength": 100},
        "writeKey": {"type": "string"},
    },
}
_MESSAGES = {
    "type": "object",
    "required": ["batch"],
    "properties": {
        "batch": {"type": "array", "items": _MESSAGE, "minItems": 1, "maxItems": MOST_RECORDS},
        "sentAt": {"type": "string", "format": "date-time"},
        "context": {"type": "object"},
        "writeKey": {"type": "string"},
    },
}
_ONE = (_MESSAGE, _TRACK)
_MANY = (_MESSAGES, {"batch": [{**_TRACK, "type": "track"}], "sentAt": "2024-02-12T10:00:01Z"})


def _said(body: tuple[dict[str, Any], Any]) -> Said:
    return Said(
        "segment",
        DROPS_IN,
        [
            document(200, Taken, "On the stream's disk, but for those in `rejected`."),
            document(400, SegmentRefusal, "The body is wrong, or every record in it."),
            document(401, SegmentRefusal, "No write key, or not a valid one."),
            document(403, SegmentRefusal, "The key has not the scope `ingest`."),
            document(404, SegmentRefusal, "The key is of another environment than `X-Env-Id`."),
            document(408, SegmentRefusal, "The body did not arrive in time."),
            document(413, SegmentRefusal, "More bytes or records than allowed."),
            document(415, SegmentRefusal, "Another content type or coding than those read here."),
            document(429, SegmentRefusal, "More than the key's tier allows; see `Retry-After`."),
            document(503, SegmentRefusal, "The stream did not acknowledge; send the same again."),
        ],
        body=body_of("Plain, gzip or zstd.", json=body),
    )
