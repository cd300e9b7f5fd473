"""PostHog's doors: `POST /batch/`, `/capture/`, `/i/v0/e/`; and that there are no flags."""

from typing import Any, Literal
from uuid import uuid4

import msgspec
from litestar import Request
from litestar.handlers import HTTPRouteHandler

from service.api.answers import Answer, json_answer
from service.api.dropins.arrivals import DROPS_IN, MOST_RECORDS, Arrivals
from service.api.dropins.posthog_records import CAPTURE
from service.api.dropins.problems import (
    POSTHOG,
    PostHogRefusal,
    RefusedRecord,
    refused_records,
)
from service.api.guards import OPEN
from service.api.openapi import Said, body_of, change, document
from service.ingest import Verdict


class Captured(msgspec.Struct, kw_only=True):
    """What became of the events; beyond `status` it is ours."""

    status: Literal[1] = 1
    accepted: int
    duplicates: int
    rejected: list[RefusedRecord]
    receipt: str | None


class NoFlags(msgspec.Struct, kw_only=True, rename="camel"):
    """There are no feature flags, no session recording and no surveys here."""

    flags: dict[str, Any] = {}
    feature_flags: dict[str, Any] = {}
    feature_flag_payloads: dict[str, Any] = {}
    errors_while_computing_flags: Literal[False] = False
    session_recording: Literal[False] = False
    request_id: str


class PostHogDoors:
    """Takes what PostHog's clients capture."""

    def __init__(self, arrivals: Arrivals) -> None:
        self._arrivals = arrivals

    def routes(self) -> list[HTTPRouteHandler]:
        """The handlers."""
        return [
            change("POST", "/batch", self.capture, _CAPTURE),
            change("POST", "/capture", self.capture, _CAPTURE),
            change("POST", "/i/v0/e", self.capture, _CAPTURE),
            change("POST", "/flags", self.flags, _FLAGS),
            change("POST", "/decide", self.flags, _FLAGS),
        ]

    async def capture(self, request: Request[Any, Any, Any]) -> Answer:
        """Take PostHog events.

        One, a list of them, or `{"batch": […]}`, as PostHog's own clients send them.
        """
        arrival = await self._arrivals.take(request, CAPTURE)
        return _answer(arrival.verdict).plus(*arrival.passage.headers())

    async def flags(self, request: Request[Any, Any, Any]) -> Answer:
        """Say that there are no feature flags.

        The body is not read.
        """
        return json_answer(200, NoFlags(request_id=str(uuid4())))


def _answer(verdict: Verdict) -> Answer:
    rejected = refused_records(verdict, CAPTURE.names)
    if len(rejected) == len(verdict.event_ids):
        return POSTHOG.nothing_taken(rejected)
    captured = Captured(
        accepted=verdict.accepted,
        duplicates=verdict.duplicates,
        rejected=rejected,
        receipt=verdict.receipt,
    )
    return json_answer(200, captured)


_EVENT = {
    "uuid": "018d9c3e-0000-7000-8000-000000000001",
    "event": "signed up",
    "distinct_id": "ada",
    "properties": {"plan": "free", "$session_id": "s1"},
    "timestamp": "2024-02-12T10:00:00Z",
}
_ONE = {
    "type": "object",
    "properties": {
        "uuid": {"type": "string", "maxLength": 128},
        "event": {"type": "string", "maxLength": 100},
        "distinct_id": {"type": "string", "maxLength": 128},
        "properties": {"type": "object"},
        "timestamp": {"type": "string", "format": "date-time"},
        "api_key": {"type": "string"},
    },
}
_MANY = {"type": "array", "items": _ONE, "minItems": 1, "maxItems": MOST_RECORDS}
_BATCH = {
    "type": "object",
    "required": ["batch"],
    "properties": {
        "batch": _MANY,
        "sent_at": {"type": "string", "format": "date-time"},
        "api_key": {"type": "string"},
    },
}
_CAPTURE = Said(
    "posthog",
    DROPS_IN,
    [
        document(200, Captured, "On the stream's disk, but for those in `rejected`."),
        document(400, PostHogRefusal, "The body is wrong, or every event in it."),
        document(401, PostHogRefusal, "No project key, or not a valid one."),
        document(403, PostHogRefusal, "The key has not the scope `ingest`."),
        document(404, PostHogRefusal, "The key is of another environment than `X-Env-Id`."),
        document(408, PostHogRefusal, "The body did not arrive in time."),
        document(413, PostHogRefusal, "More bytes or events than allowed."),
        document(415, PostHogRefusal, "Another content type or coding than those read here."),
        document(429, PostHogRefusal, "More than the key's tier allows; see `Retry-After`."),
        document(503, PostHogRefusal, "The stream did not acknowledge; send the same again."),
    ],
    body=body_of(
        "Plain, gzip or zstd.",
        json=({"anyOf": [_BATCH, _ONE, _MANY]}, {"batch": [_EVENT], "api_key": "evp_…"}),
    ),
)
_FLAGS = Said("posthog", OPEN, [document(200, NoFlags, "None.")])
