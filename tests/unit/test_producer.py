"""What the producer promises, over real HTTP to a stand-in for the events face."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from service.client import Client, ClientOptions, Producer, ProducerOptions
from service.errors import BufferFull, InvalidInput, InvalidKey, SpoolBusy, Undelivered
from tests.events_face import LOSE_THE_ANSWER, EventsFace, serving
from tests.unit.test_client import UNAVAILABLE, an_event
from tests.unit.test_spool import files

BUSY = (503, {"retry-after": "0"}, UNAVAILABLE)
AWAY = [(503, {"retry-after": "60"}, UNAVAILABLE)] * 99
REFUSED = (401, {}, {"error": {"code": "INVALID_API_KEY", "message": "unknown key"}})


@asynccontextmanager
async def producing(face: EventsFace, **options: Any) -> AsyncIterator[Producer]:
    async with (
        serving(face) as url,
        Client(url, "k", ClientOptions(patience=20)) as client,
        Producer(client, ProducerOptions(**options)) as producer,
    ):
        yield producer


async def test_events_go_together_when_there_are_enough_of_them() -> None:
    async with producing(face := EventsFace(), batch=3, linger=60) as producer:
        for _ in range(6):
            await producer.put(an_event())
        while len(face.events) < 6:
            await asyncio.sleep(0.01)
    assert len(face.bodies) == 2


async def test_an_event_that_finds_no_company_goes_alone_after_a_while() -> None:
    async with producing(face := EventsFace(), batch=500, linger=0.01) as producer:
        await producer.put(an_event())
        while not face.events:
            await asyncio.sleep(0.01)


async def test_events_go_together_when_they_have_bytes_enough() -> None:
    async with producing(face := EventsFace(), batch_bytes=250, linger=60) as producer:
        for _ in range(4):
            await producer.put(an_event(event_id="e" * 100))
        await producer.flush()
    assert len(face.bodies) == 4


async def test_a_flush_returns_when_all_that_was_put_is_answered_and_tells_of_it() -> None:
    face = EventsFace(failures=[LOSE_THE_ANSWER, BUSY])
    async with producing(face, linger=60) as producer:
        for user in ("ada", "bad", "bob"):
            await producer.put(an_event(user))
        tally = await producer.flush()
        assert len(face.events) == 2
    assert (tally.put, tally.accepted, tally.duplicates, tally.rejected) == (3, 0, 2, 1)
    assert (tally.tries, tally.receipts) == (3, [])


async def test_a_flush_of_nothing_returns_at_once() -> None:
    async with producing(EventsFace(), linger=60) as producer:
        assert (await producer.flush()).put == 0


async def test_leaving_the_producer_sends_what_is_left() -> None:
    async with producing(face := EventsFace(), linger=60) as producer:
        await producer.put(an_event())
    assert len(face.events) == 1


async def test_what_is_refused_is_told_with_its_event() -> None:
    told = []
    tell = lambda rejection, event: told.append((rejection.event_id, event))  # noqa: E731
    async with producing(EventsFace(), on_rejected=tell) as producer:
        await producer.put(an_event("bad", event_id="e1"))
    [(event_id, event)] = told
    assert (event_id, b'"e1"' in event) == ("e1", True)


async def test_a_listener_to_refusals_that_fails_stops_nothing() -> None:
    def fail(*_: object) -> None:
        raise ZeroDivisionError

    async with producing(face := EventsFace(), on_rejected=fail) as producer:
        await producer.put(an_event("bad"))
        await producer.put(an_event())
    assert len(face.events) == 1


async def test_the_caller_waits_while_there_is_no_room() -> None:
    face = EventsFace(failures=[BUSY] * 3)
    async with producing(face, buffer_bytes=300, batch=1) as producer:
        for _ in range(10):
            await producer.put(an_event())
            assert producer.tally.put - len(face.events) <= 3
    assert len(face.events) == 10


async def test_the_caller_is_told_that_there_is_no_room_if_he_wants_to_be() -> None:
    options = {"buffer_bytes": 300, "when_full": "raise"}
    async with producing(face := EventsFace(), linger=60, **options) as producer:
        await producer.put(an_event(event_id="e" * 128))
        with pytest.raises(BufferFull):
            await producer.put(an_event(event_id="f" * 128))
    assert len(face.events) == 1


async def test_events_that_are_left_behind_in_memory_are_told_of_at_the_end() -> None:
    async def leave_two() -> None:
        async with producing(EventsFace(failures=list(AWAY)), closing=0) as producer:
            await producer.put(an_event())
            await producer.put(an_event())

    with pytest.raises(Undelivered, match="2 events"):
        await leave_two()


async def test_events_without_room_are_dropped_and_counted_if_that_is_wanted() -> None:
    face = EventsFace()
    async with producing(face, buffer_bytes=300, when_full="drop", linger=60) as producer:
        taken = [await producer.put(an_event(event_id=c * 128)) for c in "abc"]
    assert (taken, producer.tally.dropped, len(face.events)) == ([True, False, False], 2, 1)


async def test_an_event_larger_than_the_whole_buffer_goes_through_alone() -> None:
    async with producing(face := EventsFace(), buffer_bytes=10) as producer:
        await producer.put(an_event())
        await producer.put(an_event())
    assert len(face.events) == 2


async def test_a_refused_key_ends_the_producer_and_is_told_at_every_turn() -> None:
    async def go_on() -> None:
        async with producing(EventsFace(failures=[REFUSED]), linger=0) as producer:
            await producer.put(an_event())
            for again in (producer.flush, lambda: producer.put(an_event())):
                with pytest.raises(InvalidKey, match="unknown key"):
                    await again()

    with pytest.raises(InvalidKey):
        await go_on()


async def test_an_error_of_the_callers_own_is_not_hidden_and_what_he_put_is_sent() -> None:
    async def fail() -> None:
        async with producing(face, linger=60) as producer:
            await producer.put(an_event())
            raise ZeroDivisionError

    face = EventsFace()
    with pytest.raises(ZeroDivisionError):
        await fail()
    assert len(face.events) == 1


async def test_what_is_no_json_is_refused_where_it_is_put() -> None:
    async with producing(EventsFace()) as producer:
        with pytest.raises(InvalidInput, match="JSON"):
            await producer.put(an_event(payload={"x": object()}))
    assert producer.tally.put == 0


async def test_nothing_is_taken_outside_of_the_producers_time() -> None:
    async with producing(EventsFace()) as producer:
        pass
    with pytest.raises(RuntimeError, match="async with"):
        await producer.put(an_event())


async def test_what_is_too_large_together_goes_in_halves_and_alone_it_is_refused() -> None:
    face = SmallFace()
    async with producing(face, linger=60) as producer:
        for size in (1, 1, 900):
            await producer.put(an_event(payload={"text": "x" * size}))
        tally = await producer.flush()
    assert (tally.accepted, tally.rejected, len(face.events)) == (2, 1, 2)


class SmallFace(EventsFace):
    def _answer(self, path: str, body: bytes) -> Any:
        if len(body) > 500:
            error = {"code": "PAYLOAD_TOO_LARGE", "message": "too many bytes"}
            return 413, {}, {"success": False, "error": error}
        return super()._answer(path, body)


async def test_a_spool_keeps_what_the_service_did_not_take_for_the_next_producer(
    tmp_path: Path,
) -> None:
    async with producing(EventsFace(failures=list(AWAY)), spool=tmp_path, closing=0.1) as producer:
        await producer.put(an_event(event_id="e1"))
        await producer.put(an_event(event_id="e2"))
    async with producing(face := EventsFace(), spool=tmp_path) as producer:
        await producer.put(an_event(event_id="e3"))
    assert set(face.events) == {"e1", "e2", "e3"}
    assert files(tmp_path) == []


async def test_a_spool_that_is_in_use_is_refused_at_the_start(tmp_path: Path) -> None:
    async with producing(EventsFace(), spool=tmp_path):
        with pytest.raises(SpoolBusy):
            async with producing(EventsFace(), spool=tmp_path):
                pass


@pytest.mark.parametrize("fsync", ["always", "batch", "never"])
async def test_many_put_at_once_and_each_is_sent_once(tmp_path: Path, fsync: Any) -> None:
    async with producing(face := EventsFace(), spool=tmp_path, fsync=fsync, batch=7) as producer:
        await asyncio.gather(*(producer.put(an_event()) for _ in range(100)))
        tally = await producer.flush()
    assert (tally.accepted, tally.duplicates, len(face.events)) == (100, 0, 100)


async def test_while_the_service_is_away_parcels_grow_to_their_size(tmp_path: Path) -> None:
    options = {"spool": tmp_path, "linger": 0, "batch": 50, "senders": 1, "closing": 0.1}
    async with producing(EventsFace(failures=list(AWAY)), **options) as producer:
        for _ in range(200):
            await producer.put(an_event())
            await asyncio.sleep(0)
    assert len(files(tmp_path)) <= 6


@pytest.mark.parametrize("size", [0, 1001])
async def test_a_batch_of_a_size_that_no_request_has_is_refused(size: int) -> None:
    async with Client("http://127.0.0.1:1") as client:
        with pytest.raises(ValueError, match="1 to 1000"):
            Producer(client, ProducerOptions(batch=size))
