"""`GET /api/v1/analytics/live`: the document of a question, pushed whenever it changes."""

from typing import Any

import msgspec
from litestar import Request
from litestar.handlers import HTTPRouteHandler
from litestar.openapi.datastructures import ResponseSpec

from service.api.answers import Answer, Header, Success, iso, json_answer
from service.api.guards import ASKS, QUERIES
from service.api.openapi import Said, change, data, read, refusal, text_parameter
from service.api.outlets import EVENT_HEADERS
from service.api.questions.audience import EVERY_MOST, Audience
from service.api.streams import Stream, answers_to
from service.query import catalog
from service.settings import Settings


class Pushed(msgspec.Struct):
    """One event: `data` is the document as a poll gives it, `event` is `message` or `error`."""

    data: str
    event: str = "message"
    id: str = ""


class TicketAnswer(msgspec.Struct, rename="camel"):
    """Take the ticket before `expires_at`, once."""

    ticket: str
    expires_at: str


_ONCE: Header = (b"cache-control", b"no-store")


class LiveRoutes:
    """Answers that go on, to whoever may ask the question once."""

    def __init__(self, audience: Audience, settings: Settings) -> None:
        self._audience = audience
        self._heartbeat = settings.live_heartbeat
        self._stall = settings.live_stall

    def routes(self) -> list[HTTPRouteHandler]:
        """The handlers."""
        ticket = change("POST", "/api/v1/analytics/live/ticket", self.ticket, _TICKET)
        return [*read("/api/v1/analytics/live", self.live, _LIVE), ticket]

    async def live(self, request: Request[Any, Any, Any]) -> Answer:
        """Push the answer to a question whenever it changes.

        Server-sent events, or messages of a WebSocket when the request asks for one. The first one
        comes at once; each has the document that a poll of the question gives. After
        `Last-Event-ID` only what is newer than that event comes. An event `error` with an error's
        document is the last one.
        """
        scope = request.scope
        if scope["method"] == "HEAD":
            await self._audience.check(scope)
            return Answer(200, b"", *EVENT_HEADERS)
        seat = await self._audience.join(scope)
        tell = answers_to(seat.listener)
        return Stream(seat.listener, tell, seat.leave, self._heartbeat, self._stall)

    async def ticket(self, request: Request[Any, Any, Any]) -> Answer:
        """Give a ticket to listen with, good once and for a minute.

        For browsers, whose EventSource sends no headers: `GET /api/v1/analytics/live?ticket=…`.
        """
        made = await self._audience.ticket(request.scope)
        return json_answer(201, Success(data=TicketAnswer(made.text, iso(made.expires_at))), _ONCE)


QUESTION = [
    text_parameter("what", "Which question it is.", ["metrics", "numbers", "saved"]),
    text_parameter("saved", "Of a saved question: its name; its own parameters stand beside it."),
    text_parameter("every", f"Seconds between two documents, 1 to {EVERY_MOST}; 1 by default."),
    text_parameter("ticket", "Instead of a credential: what `POST …/live/ticket` gave."),
    text_parameter("lastEventId", "As `Last-Event-ID`, for clients that cannot send headers."),
    text_parameter("timeRange", "A range that ends now.", list(catalog.RANGES)),
    text_parameter("start", "Instead of `timeRange`: from here, ISO 8601."),
    text_parameter("end", "Instead of `timeRange`: up to here, ISO 8601."),
    text_parameter("interval", "Of metrics: length of a bucket.", list(catalog.INTERVALS)),
    text_parameter("tz", "Of metrics: IANA time zone of the buckets; UTC by default."),
    text_parameter("name", "Of numbers: the field of the payload."),
    text_parameter("by", "Of numbers: one row for each value of this.", list(catalog.GROUPS)),
    text_parameter("eventType", "This type alone, exactly."),
    text_parameter("userId", "Users whose id contains this text, literally."),
    text_parameter("limit", "How many of the busiest users, or rows."),
]
_STREAM = ResponseSpec(
    Pushed, generate_examples=False, description="Each event.", media_type="text/event-stream"
)
_LIVE = Said(
    "questions",
    ASKS,
    [
        (200, _STREAM),
        refusal(400, "An unknown parameter or value; the message names it."),
        refusal(401, "These metrics are not public, or the key is not valid."),
        refusal(403, "The credential may not read."),
        refusal(429, "Too many listen to this environment; see `Retry-After`."),
        refusal(503, "No room for another listener, or the store does not answer."),
    ],
    [
        *QUESTION,
        text_parameter("Last-Event-ID", "The `id` of the last event received.", where="header"),
    ],
)
_TICKET = Said(
    "questions",
    QUERIES,
    [
        data(
            201,
            TicketAnswer,
            "The ticket.",
            {"ticket": "evl_…", "expiresAt": "2024-01-30T12:01:00.000Z"},
        ),
        refusal(401, "No credential, or not a valid one."),
        refusal(403, "The credential may not read."),
        refusal(503, "The accounts' database does not answer; see `Retry-After`."),
    ],
)
