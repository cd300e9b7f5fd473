"""Live answers at the edge: what is pushed, when, to whom, and how it ends."""

import asyncio
import socket
from contextlib import closing

import pytest

from service.errors import AnalyticsUnavailable, InvalidKey
from service.storage.protocol import Progress
from service.telemetry import registry
from tests.api.edge import KEY, SCOPES, Edge, Environments, Questions, running
from tests.api.listening import LIVE, Ear, listening


def count(edge: Edge, sequence: int, document: bytes | None = None) -> None:
    """One more message is stored; the answer is another one, or the `document`."""
    questions = edge.parts.questions
    questions.document = document or b'{"totalEvents":%d}' % sequence
    questions.position, questions.as_of = sequence, questions.as_of + 1
    edge.parts.mark.advance(Progress(sequence=sequence))


async def total(ear: Ear) -> int:
    """What the next event counts."""
    found: int = (await ear.next()).document["data"]["totalEvents"]
    return found


async def hears_nothing(ear: Ear) -> None:
    """Two heartbeats come, and no event."""
    waiting, heard = asyncio.create_task(ear.next()), ear.heartbeats
    while ear.heartbeats < heard + 2:
        assert not waiting.done(), waiting.result()
        await asyncio.sleep(0.01)
    waiting.cancel()
    await asyncio.gather(waiting, return_exceptions=True)


async def test_the_first_event_is_the_document_that_a_poll_gives(edge: Edge):
    async with listening(edge.client) as ear:
        told = (await ear.next()).document
    polled = (await edge.client.get("/api/v1/analytics/metrics")).json()
    assert ear.answer.headers["content-type"] == "text/event-stream"
    assert told.keys() == polled.keys()
    same = {name: polled["data"][name] for name in told["data"]}
    assert told["data"] | {"ageMs": 0, "cached": True} == same | {"ageMs": 0}


async def test_a_document_is_pushed_when_events_were_counted(edge: Edge):
    async with listening(edge.client) as ear:
        assert await total(ear) == 1
        count(edge, 2)
        assert await total(ear) == 2


async def test_what_did_not_change_is_not_pushed(edge: Edge):
    async with listening(edge.client) as ear:
        assert await total(ear) == 1
        computed = edge.parts.questions.computed
        count(edge, 2, edge.parts.questions.document)
        while edge.parts.questions.computed == computed:
            await asyncio.sleep(0.01)
        count(edge, 3)
        assert await total(ear) == 3


async def test_all_who_listen_to_a_question_cost_one_computation(edge: Edge):
    ways = [listening(edge.client, "timeRange=1h&tz=UTC") for _ in range(20)]
    ears = await asyncio.gather(*(way.__aenter__() for way in ways))
    assert await asyncio.gather(*map(total, ears)) == [1] * 20
    count(edge, 2)
    assert await asyncio.gather(*map(total, ears)) == [2] * 20
    assert (edge.parts.questions.computed, edge.parts.live.subjects) == (2, 1)
    for way in ways:
        await way.__aexit__(None, None, None)


async def test_nothing_is_computed_when_nobody_listens(edge: Edge):
    async with listening(edge.client) as ear:
        await ear.next()
    while edge.parts.live.listeners:
        await asyncio.sleep(0.01)
    count(edge, 2)
    await asyncio.sleep(0.05)
    assert (edge.parts.questions.computed, edge.parts.live.subjects) == (1, 0)


async def test_who_has_the_newest_state_gets_nothing_until_there_is_a_newer_one():
    async with running(live_heartbeat=0.02) as edge:
        async with listening(edge.client) as ear:
            had = (await ear.next()).id
        async with listening(edge.client, last_event_id=had) as ear:
            await hears_nothing(ear)
        count(edge, 2)
        async with listening(edge.client, f"lastEventId={had}") as ear:
            assert await total(ear) == 2


async def test_a_range_that_slides_is_no_change_by_itself():
    async with running(live_heartbeat=0.02) as edge:
        count(edge, 1, b'{"timeRange":{"start":"a","end":"b"},"totalEvents":1}')
        async with listening(edge.client) as ear:
            had = (await ear.next()).id
        count(edge, 2, b'{"timeRange":{"start":"c","end":"d"},"totalEvents":1}')
        async with listening(edge.client, last_event_id=had) as ear:
            await hears_nothing(ear)


@pytest.mark.parametrize("unknown", ["", "x", "f" * 40, "7-zzzzzzzzzzzzzzzz", "0-0123456789abcdef"])
async def test_an_id_of_no_state_gets_the_newest_at_once(edge: Edge, unknown: str):
    async with listening(edge.client, last_event_id=unknown) as ear:
        assert await total(ear) == 1


async def test_who_has_seen_more_than_this_process_waits_until_it_has_caught_up(edge: Edge):
    async with listening(edge.client):
        newer = f"{edge.parts.questions.as_of + 1:x}-{'0' * 16}"
        count_soon = asyncio.get_running_loop().call_later(0.2, count, edge, 2)
        async with listening(edge.client, last_event_id=newer) as ear:
            assert await total(ear) == 2
        count_soon.cancel()


async def test_a_slower_listener_gets_the_newest_of_those_that_he_missed(edge: Edge):
    async with listening(edge.client, "every=3") as slow, listening(edge.client) as quick:
        await asyncio.gather(slow.next(), quick.next())
        for sequence in (2, 3):
            count(edge, sequence)
            assert await total(quick) == sequence
        assert await total(slow) == 3


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("what=nothing", "what"),
        ("every=0", "every"),
        ("every=61", "every"),
        ("every=1.5", "every"),
        ("timeRange=1y", "timeRange"),
        ("what=numbers", "name"),
        ("nonsense=1", "nonsense"),
    ],
)
async def test_a_wrong_question_is_400_before_anything_is_pushed(edge, query, field):
    answer = await edge.client.get(f"{LIVE}?{query}")
    assert answer.status_code == 400
    assert answer.json()["error"]["details"] == {"field": field}


@pytest.mark.parametrize(
    ("headers", "status", "code"),
    [
        ({}, 401, "MISSING_API_KEY"),
        ({"x-api-key": "evp_nobody"}, 401, "INVALID_API_KEY"),
        ({"x-api-key": "evp_in"}, 403, "FORBIDDEN"),
    ],
)
async def test_who_may_not_ask_may_not_listen(headers, status, code):
    async with running(environments=Environments(None)) as edge:
        answer = await edge.client.get(LIVE, headers=headers)
        assert (answer.status_code, answer.json()["error"]["code"]) == (status, code)
        assert edge.parts.live.listeners == 0


async def test_a_store_that_does_not_answer_is_503_before_anything_is_pushed():
    async with running(questions=Questions(error=AnalyticsUnavailable("away"))) as edge:
        answer = await edge.client.get(LIVE)
        assert (answer.status_code, answer.json()["error"]["code"]) == (
            503,
            "ANALYTICS_UNAVAILABLE",
        )
        assert edge.parts.live.listeners == 0


async def test_a_key_that_is_revoked_ends_the_stream_with_the_error_that_a_poll_gets(
    edge: Edge, monkeypatch: pytest.MonkeyPatch
):
    async with listening(edge.client, x_api_key="evp_out") as ear:
        await ear.next()
        monkeypatch.delitem(SCOPES, "evp_out")
        [last] = await ear.rest()
    assert (last.event, last.document["error"]["code"]) == ("error", InvalidKey.code)


async def test_metrics_that_are_public_no_more_end_the_streams_of_strangers_alone(edge: Edge):
    async with listening(edge.client) as stranger, listening(edge.client, **KEY) as owner:
        await asyncio.gather(stranger.next(), owner.next())
        edge.parts.environments.public = None
        [last] = await stranger.rest()
        count(edge, 2)
        assert await total(owner) == 2
    assert last.document["error"]["code"] == "MISSING_API_KEY"


@pytest.mark.parametrize(
    ("limit", "status", "code"),
    [("live_per_environment", 429, "RATE_LIMITED"), ("live_listeners", 503, "OVERLOADED")],
)
async def test_one_listener_too_many_is_refused_until_another_leaves(limit, status, code):
    async with running(**{limit: 1}) as edge:
        async with listening(edge.client):
            answer = await edge.client.get(LIVE)
        assert (answer.status_code, answer.json()["error"]["code"]) == (status, code)
        assert int(answer.headers["retry-after"]) > 0
        while edge.parts.live.listeners:
            await asyncio.sleep(0.01)
        async with listening(edge.client) as ear:
            assert await total(ear) == 1


async def test_head_gives_the_headers_alone(edge: Edge):
    answer = await edge.client.head(LIVE)
    assert (answer.status_code, answer.headers["content-type"]) == (200, "text/event-stream")
    assert (await edge.client.head(f"{LIVE}?every=0")).status_code == 400


async def test_a_server_that_ends_ends_its_streams_in_good_order(edge: Edge):
    async with listening(edge.client) as ear:
        await ear.next()
        edge.server.should_exit = True
        assert await ear.rest() == []
    assert edge.parts.live.listeners == 0


async def stalled(edge: Edge) -> socket.socket:
    """A client that asks to listen and never reads."""
    client = socket.socket()
    client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    client.setblocking(False)
    await asyncio.get_running_loop().sock_connect(client, ("127.0.0.1", edge.port))
    client.send(f"GET {LIVE} HTTP/1.1\r\nhost: 127.0.0.1\r\n\r\n".encode())
    return client


def big(number: int) -> bytes:
    """More than the kernel keeps for a client that does not read."""
    return b'{"totalEvents":%d,"much":"%b"}' % (number, b"x" * 1_000_000)


async def test_a_client_that_does_not_read_is_cut_off_and_the_others_go_on():
    async with running(live_heartbeat=0.05, live_stall=0.3) as edge:
        count(edge, 1, big(1))
        cut = registry.get_sample_value("headrace_live_cut_total") or 0
        with closing(await stalled(edge)):
            async with listening(edge.client) as ear:
                assert await total(ear) == 1
                while edge.parts.live.listeners > 1:
                    await asyncio.sleep(0.01)
                count(edge, 2, big(2))
                assert await total(ear) == 2
    assert registry.get_sample_value("headrace_live_cut_total") == cut + 1


async def test_a_client_that_does_not_read_does_not_hold_up_the_end():
    async with running(live_stall=60.0) as edge:
        count(edge, 1, big(1))
        with closing(await stalled(edge)):
            while not edge.parts.live.listeners:
                await asyncio.sleep(0.01)
            edge.server.should_exit = True
            while edge.server.server_state.connections:
                await asyncio.sleep(0.01)
    assert edge.parts.live.listeners == 0


async def test_a_client_that_hangs_up_is_noticed_at_once(edge: Edge):
    async with listening(edge.client) as ear:
        await ear.next()
    async with asyncio.timeout(10):
        while edge.parts.live.listeners:
            await asyncio.sleep(0.01)


async def test_a_ticket_lets_in_once_whoever_cannot_send_his_key():
    async with running(environments=Environments(None)) as edge:
        made = await edge.client.post(f"{LIVE}/ticket", headers={"x-api-key": "evp_out"})
        assert (made.status_code, made.headers["cache-control"]) == (201, "no-store")
        ticket = made.json()["data"]["ticket"]
        async with listening(edge.client, f"ticket={ticket}") as ear:
            assert await total(ear) == 1
        again = await edge.client.get(f"{LIVE}?ticket={ticket}")
    assert (again.status_code, again.json()["error"]["code"]) == (401, "UNAUTHORIZED")


async def test_what_a_ticket_opened_ends_with_the_key_behind_it(
    edge: Edge, monkeypatch: pytest.MonkeyPatch
):
    made = await edge.client.post(f"{LIVE}/ticket", headers={"x-api-key": "evp_out"})
    async with listening(edge.client, f"ticket={made.json()['data']['ticket']}") as ear:
        await ear.next()
        monkeypatch.delitem(SCOPES, "evp_out")
        [last] = await ear.rest()
    assert last.document["error"]["code"] == "INVALID_API_KEY"


async def test_a_ticket_of_a_key_that_is_revoked_before_lets_nobody_in(
    edge: Edge, monkeypatch: pytest.MonkeyPatch
):
    made = await edge.client.post(f"{LIVE}/ticket", headers={"x-api-key": "evp_out"})
    monkeypatch.delitem(SCOPES, "evp_out")
    answer = await edge.client.get(f"{LIVE}?ticket={made.json()['data']['ticket']}")
    assert (answer.status_code, answer.json()["error"]["code"]) == (401, "INVALID_API_KEY")
