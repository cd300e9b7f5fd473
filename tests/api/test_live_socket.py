"""Live answers over a WebSocket: the same as server-sent events in another form."""

import asyncio
import json
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from typing import Any

import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from tests.api.edge import KEY, SCOPES, Edge, Environments, running
from tests.api.listening import LIVE
from tests.api.test_live import big, count


@asynccontextmanager
async def talking(edge: Edge, query: str = "", **options: Any) -> AsyncIterator[ClientConnection]:
    url = f"ws://127.0.0.1:{edge.port}{LIVE}?{query}"
    async with connect(url, proxy=None, max_size=None, **options) as client:
        yield client


async def heard(client: ClientConnection) -> Any:
    return json.loads(await client.recv())


async def refused(edge: Edge, path: str = LIVE, **options: Any) -> tuple[int, str]:
    """Status and code of the answer to a handshake."""
    handshake = connect(f"ws://127.0.0.1:{edge.port}{path}", proxy=None, **options)
    with pytest.raises(InvalidStatus) as refusal:
        await handshake.__aenter__()
    answer = refusal.value.response
    return answer.status_code, json.loads(answer.body)["error"]["code"]


async def test_a_message_is_what_a_poll_gives_and_the_id_of_the_state(edge: Edge):
    async with talking(edge) as client:
        message = await heard(client)
    polled = (await edge.client.get("/api/v1/analytics/metrics")).json()
    assert message.keys() == polled.keys() | {"id"}
    assert message["data"]["totalEvents"] == polled["data"]["totalEvents"] == 1


async def test_a_message_comes_when_events_were_counted_and_a_listener_resumes(edge: Edge):
    async with talking(edge) as client:
        await heard(client)
        count(edge, 2)
        had = (await heard(client))["id"]
    count(edge, 3)
    async with talking(edge, f"lastEventId={had}") as client:
        assert (await heard(client))["data"]["totalEvents"] == 3


@pytest.mark.parametrize(
    "options",
    [
        {"additional_headers": KEY},
        {"subprotocols": ["evp_out"]},
        {"subprotocols": ["headrace", "evp_out"]},
    ],
)
async def test_a_key_comes_as_a_header_or_as_a_subprotocol(options: dict[str, Any]):
    async with running(environments=Environments(None)) as edge, talking(edge, **options) as client:
        assert (await heard(client))["success"]
        assert client.subprotocol == options.get("subprotocols", [None])[0]


@pytest.mark.parametrize(
    ("path", "options", "expected"),
    [
        (LIVE, {}, (401, "MISSING_API_KEY")),
        (LIVE, {"subprotocols": ["evp_nobody"]}, (401, "INVALID_API_KEY")),
        (LIVE, {"subprotocols": ["evp_in"]}, (403, "FORBIDDEN")),
        (f"{LIVE}?every=0", {"additional_headers": KEY}, (400, "VALIDATION_ERROR")),
        ("/api/v1/nothing", {"additional_headers": KEY}, (404, "NOT_FOUND")),
    ],
)
async def test_a_handshake_is_refused_as_a_request_is(path, options, expected, caplog):
    async with running(environments=Environments(None)) as edge:
        assert await refused(edge, path, **options) == expected
        assert edge.parts.live.listeners == 0
    assert [entry for entry in caplog.records if entry.levelname == "ERROR"] == []


async def test_a_key_that_is_revoked_ends_it_with_the_reason(
    edge: Edge, monkeypatch: pytest.MonkeyPatch
):
    async with talking(edge, subprotocols=["evp_out"]) as client:
        await heard(client)
        monkeypatch.delitem(SCOPES, "evp_out")
        assert (await heard(client))["error"]["code"] == "INVALID_API_KEY"
        with pytest.raises(ConnectionClosed) as closed:
            await client.recv()
    assert (closed.value.rcvd.code, closed.value.rcvd.reason) == (1008, "INVALID_API_KEY")


async def test_a_server_that_ends_says_so(edge: Edge):
    async with talking(edge) as client:
        await heard(client)
        edge.server.should_exit = True
        with pytest.raises(ConnectionClosed) as closed:
            await client.recv()
    assert closed.value.rcvd.code == 1012


async def test_a_client_that_does_not_read_is_cut_off():
    async with running(live_stall=0.3) as edge:
        count(edge, 1, big(1))
        with closing(socket.socket()) as client:
            client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            client.connect(("127.0.0.1", edge.port))
            client.send(HANDSHAKE)
            while not edge.parts.live.listeners:
                await asyncio.sleep(0.01)
            sequence = 1
            while edge.parts.live.listeners:
                sequence += 1
                count(edge, sequence, big(sequence))
                await asyncio.sleep(0.05)


HANDSHAKE = (
    f"GET {LIVE} HTTP/1.1\r\nhost: 127.0.0.1\r\nconnection: upgrade\r\nupgrade: websocket\r\n"
    "sec-websocket-version: 13\r\nsec-websocket-key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
).encode()


async def test_what_a_client_says_is_not_listened_to_and_much_of_it_ends_it(edge: Edge):
    async with talking(edge) as client:
        await client.send("hello")
        await heard(client)
        count(edge, 2)
        assert (await heard(client))["data"]["totalEvents"] == 2
        await client.send("x" * 5000)
        with pytest.raises(ConnectionClosed) as closed:
            await client.recv()
    assert closed.value.rcvd.code == 1009


async def test_a_poll_that_asks_for_a_websocket_gets_its_answer_all_the_same(edge: Edge):
    handshake = connect(f"ws://127.0.0.1:{edge.port}/api/v1/analytics/metrics", proxy=None)
    with pytest.raises(InvalidStatus) as answer:
        await handshake.__aenter__()
    assert answer.value.response.status_code == 200


@pytest.mark.parametrize(
    ("origin", "allowed"),
    [
        ("http://127.0.0.1:{port}", True),
        ("https://dashboard.example", True),
        ("https://evil.example", False),
        ("null", False),
    ],
)
async def test_a_page_of_a_stranger_opens_no_websocket(origin: str, allowed: bool):
    async with running(cors_origins="https://dashboard.example") as edge:
        options = {"origin": origin.format(port=edge.port)}
        if not allowed:
            assert await refused(edge, **options) == (403, "FORBIDDEN")
            return
        async with talking(edge, **options) as client:
            assert (await heard(client))["success"]
