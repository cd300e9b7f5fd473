"""What the Python client promises, over real HTTP to a stand-in for the events face."""

import asyncio
import gzip
import socket
from typing import Any

import msgspec
import pytest
import zstandard

from service.client import Client, ClientOptions, Event, Question
from service.errors import IngestionUnavailable, InvalidKey, UnexpectedAnswer, Unreachable
from tests.events_face import LOSE_THE_ANSWER, EventsFace, serving

UNAVAILABLE = {"error": {"code": "INGESTION_UNAVAILABLE", "message": "the stream is away"}}


def an_event(user: str = "ada", **more: Any) -> Event:
    return Event(
        event_type="click", user_id=user, session_id="s1", timestamp="2030-01-01T00:00:00Z", **more
    )


async def test_an_event_without_an_id_is_given_one_in_place_so_that_it_can_be_sent_again() -> None:
    face, typed, untyped = EventsFace(), an_event(), msgspec.to_builtins(an_event())
    async with serving(face) as url, Client(url, "k") as client:
        await client.send([typed, untyped])
        again = await client.send([typed, untyped])
    assert set(face.events) == {typed.event_id, untyped["eventId"]}
    assert (again.accepted, again.duplicates) == (0, 2)


async def test_an_id_of_the_callers_own_is_kept() -> None:
    async with serving(EventsFace()) as url, Client(url, "k") as client:
        sent = await client.send([an_event(event_id="mine")])
    assert sent.event_ids == ["mine"]


async def test_after_a_lost_answer_the_same_bytes_are_sent_again_and_count_once() -> None:
    face = EventsFace(failures=[LOSE_THE_ANSWER])
    async with serving(face) as url, Client(url, "k") as client:
        sent = await client.send([an_event()])
    assert len(face.bodies) == sent.tries == 2
    assert len(set(face.bodies)) == len(face.events) == 1
    assert (sent.accepted, sent.duplicates) == (0, 1)


@pytest.mark.parametrize("status", [429, 500, 502, 503, 504])
async def test_a_busy_service_is_asked_again(status: int) -> None:
    face = EventsFace(failures=[(status, {}, UNAVAILABLE)])
    async with serving(face) as url, Client(url, "k") as client:
        sent = await client.send([an_event()])
    assert (sent.accepted, sent.tries) == (1, 2)


async def test_a_body_that_came_too_slowly_is_sent_again() -> None:
    late = {"error": {"code": "REQUEST_TIMEOUT", "message": "not complete in time"}}
    face = EventsFace(failures=[(408, {}, late)])
    async with serving(face) as url, Client(url, "k") as client:
        assert (await client.send([an_event()])).tries == 2


async def test_an_answer_that_failed_in_the_service_is_not_asked_for_again() -> None:
    failed = {"error": {"code": "ANALYTICS_ERROR", "message": "something failed here"}}
    face = AskedFace(failures=[(500, {}, failed)])
    async with serving(face) as url, Client(url, "k") as client:
        with pytest.raises(UnexpectedAnswer, match="something failed here"):
            await client.stats()
    assert len(face.requests) == 1


class AskedFace(EventsFace):
    """Fails when it is asked, too."""

    def _answer(self, path: str, body: bytes) -> Any:
        return self.failures.pop(0) if self.failures else super()._answer(path, body)


@pytest.mark.parametrize("when", ["3600", "Fri, 01 Jan 2100 00:00:00 GMT"])
async def test_a_retry_after_beyond_all_patience_ends_it_without_another_try(when: str) -> None:
    face = EventsFace(failures=[(503, {"retry-after": when}, UNAVAILABLE)])
    async with serving(face) as url, Client(url, "k") as client:
        with pytest.raises(IngestionUnavailable, match="the stream is away") as raised:
            await client.send([an_event()])
    assert len(face.bodies) == 1
    assert raised.value.retry_after >= 3600


async def test_a_refused_key_is_an_error_at_once() -> None:
    refusal = {"error": {"code": "INVALID_API_KEY", "message": "unknown key"}}
    face = EventsFace(failures=[(401, {}, refusal)])
    async with serving(face) as url, Client(url, "k") as client:
        with pytest.raises(InvalidKey, match="unknown key"):
            await client.send([an_event()])
    assert len(face.bodies) == 1
    assert face.requests[0][1]["x-api-key"] == "k"


async def test_many_events_go_in_batches_and_come_back_as_one_answer() -> None:
    face = EventsFace()
    events = [an_event("bad" if i == 7 else "ada", event_id=f"e{i}") for i in range(10)]
    async with serving(face) as url, Client(url, "k", ClientOptions(batch=4)) as client:
        sent = await client.send(events)
    assert len(face.bodies) == 3
    assert sent.event_ids == [f"e{i}" for i in range(10)]
    assert [(r.index, r.event_id) for r in sent.rejected] == [(7, "e7")]
    assert (sent.accepted, len(sent.receipts)) == (9, 3)


async def test_a_batch_of_bad_events_alone_is_an_answer_not_an_error() -> None:
    async with serving(EventsFace()) as url, Client(url, "k") as client:
        sent = await client.send([an_event("bad", event_id="e0"), an_event("bad", event_id="e1")])
    assert [r.event_id for r in sent.rejected] == ["e0", "e1"]
    assert (sent.accepted, sent.receipts) == (0, [])


async def test_nothing_to_send_sends_nothing() -> None:
    async with serving(face := EventsFace()) as url, Client(url, "k") as client:
        assert (await client.send([])).accepted == 0
    assert face.requests == []


@pytest.mark.parametrize(
    ("encoding", "inflate"), [("gzip", gzip.decompress), ("zstd", zstandard.decompress)]
)
async def test_bodies_can_be_compressed(encoding: Any, inflate: Any) -> None:
    face = EventsFace(failures=[(503, {}, UNAVAILABLE)] * 99)
    options = ClientOptions(encoding=encoding, patience=0)
    async with serving(face) as url, Client(url, "k", options) as client:
        with pytest.raises(IngestionUnavailable):
            await client.send([an_event(event_id="e1")])
    _, headers, body = face.requests[0]
    assert headers["content-encoding"] == encoding
    assert msgspec.json.decode(inflate(body))["events"][0]["eventId"] == "e1"


class Busy(EventsFace):
    now = most = 0

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        self.now += 1
        self.most = max(self.most, self.now)
        await asyncio.sleep(0.01)
        await super().__call__(scope, receive, send)
        self.now -= 1


async def test_no_more_requests_are_under_way_than_allowed() -> None:
    options = ClientOptions(batch=1, concurrency=3)
    async with serving(face := Busy()) as url, Client(url, "k", options) as client:
        await client.send([an_event() for _ in range(12)])
    assert face.most == 3


async def test_a_service_that_is_not_there_is_named() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    async with Client(f"http://127.0.0.1:{port}", options=ClientOptions(patience=0)) as client:
        with pytest.raises(Unreachable, match=f"http://127.0.0.1:{port}"):
            await client.stats()


async def test_the_answer_of_another_program_is_told_from_ours() -> None:
    face = EventsFace(failures=[(200, {}, "hello"), (418, {}, "hello")])
    async with serving(face) as url, Client(url, "k") as client:
        for _ in range(2):
            with pytest.raises(UnexpectedAnswer):
                await client.send([an_event()])


async def test_questions_carry_only_what_was_asked_for_and_are_answered_typed() -> None:
    async with serving(EventsFace()) as url, Client(url, "k") as client:
        metrics = await client.metrics(Question(time_range="24h", user_id="UA", limit=5))
        numbers = await client.numbers("dep_delay", Question(time_range="7d"), by="userId")
        stats, sent = await client.stats(), await client.send([an_event()])
        receipt = await client.receipt(sent.receipts[0])
    assert (metrics.total_events, numbers.rows, stats.ingestion_rate) == (0, [], 1.5)
    assert receipt.state == "queryable"
