"""Listening with the Python client: streams that end, break, refuse and say what is wrong."""

import asyncio
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import Any

import msgspec
import pytest

from service.client import Client, ClientOptions, Question
from service.errors import InvalidKey, Overloaded, UnexpectedAnswer
from tests.events_face import EventsFace, serving

DOCUMENT = EventsFace()._answer("/api/v1/analytics/metrics", b"")[2]["data"]
STREAM = [(b"content-type", b"text/event-stream")]
JSON = [(b"content-type", b"application/json"), (b"retry-after", b"0")]


def state(id: str, total: int) -> bytes:
    data = msgspec.json.encode({"success": True, "data": DOCUMENT | {"totalEvents": total}})
    return b"id: %b\ndata: %b\n\n" % (id.encode(), data)


def said(code: str) -> bytes:
    return msgspec.json.encode({"success": False, "error": {"code": code, "message": "so it is"}})


@dataclass
class LiveFace(EventsFace):
    """Answers each connection with what is next in `streams`: a status and a body."""

    streams: list[tuple[int, bytes]] = field(default_factory=list)
    seen: list[str] = field(default_factory=list)

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        self.seen.append(dict(scope["headers"]).get(b"last-event-id", b"").decode())
        status, body = self.streams.pop(0) if self.streams else (503, said("OVERLOADED"))
        headers = STREAM if status == 200 else JSON
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": body})


async def totals(face: LiveFace, count: int) -> list[int]:
    """Of the first documents that are heard of."""
    async with (
        serving(face) as url,
        Client(url, "k", ClientOptions(patience=3)) as client,
        aclosing(client.live(Question(time_range="1h"))) as documents,
    ):
        return [(await anext(documents)).total_events for _ in range(count)]


async def test_a_stream_that_ended_is_taken_up_where_it_was() -> None:
    streams = [
        (200, state("a", 1) + state("b", 2)),
        (200, b"retry: 2000\n\n"),
        (200, state("c", 3)),
    ]
    face = LiveFace(streams=streams)
    assert await totals(face, 3) == [1, 2, 3]
    assert face.seen == ["", "b", "b"]


async def test_a_service_without_room_is_asked_again() -> None:
    face = LiveFace(streams=[(503, said("OVERLOADED")), (429, said("RATE_LIMITED"))])
    face.streams.append((200, state("a", 1)))
    assert await totals(face, 1) == [1]


async def test_an_event_that_is_cut_off_is_not_taken_for_one() -> None:
    face = LiveFace(streams=[(200, state("a", 1)[:-2]), (200, state("b", 2))])
    assert await totals(face, 1) == [2]
    assert face.seen == ["", ""]


async def test_when_patience_ends_the_last_error_is_raised() -> None:
    with pytest.raises(Overloaded, match="so it is"):
        await totals(LiveFace(), 1)


@pytest.mark.parametrize("before", [True, False])
async def test_a_right_that_is_not_there_or_ends_is_an_error(before: bool) -> None:
    ended = b"event: error\ndata: %b\n\n" % said("INVALID_API_KEY")
    face = LiveFace(streams=[(401, said("INVALID_API_KEY")) if before else (200, ended)])
    with pytest.raises(InvalidKey):
        await totals(face, 1)
    assert len(face.seen) == 1


@pytest.mark.parametrize("answer", [(200, b"data: hello\n\n"), (404, b"hello")])
async def test_another_program_is_told_from_ours(answer: tuple[int, bytes]) -> None:
    with pytest.raises(UnexpectedAnswer):
        await totals(LiveFace(streams=[answer]), 1)


async def test_who_listens_takes_no_place_from_requests() -> None:
    class Silent(LiveFace):
        async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
            if scope["path"] != "/api/v1/analytics/live":
                await EventsFace.__call__(self, scope, receive, send)
                return
            await send({"type": "http.response.start", "status": 200, "headers": STREAM})
            await send({"type": "http.response.body", "body": state("a", 1), "more_body": True})
            await receive()

    async with serving(Silent()) as url, Client(url, "k", ClientOptions(concurrency=1)) as client:
        listening = [client.live(), client.live()]
        await asyncio.gather(*(anext(documents) for documents in listening))
        assert (await client.stats()).total_ingested == 0
        for documents in listening:
            await documents.aclose()  # type: ignore[attr-defined]
