"""Clients that do not read, ask too much at once, or hide things behind the body."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import pytest
from structlog.testing import capture_logs

from service.api.wire import LARGEST_FRAMING, MOST_WAITING, HeadraceProtocol
from tests.api.edge import Edge, an_event, running

LIVE = b"GET /api/live HTTP/1.1\r\nhost: localhost\r\n\r\n"
LARGE = b"GET /docs/swagger-ui-bundle.js HTTP/1.1\r\nhost: localhost\r\n\r\n"
"""An answer of more than a megabyte."""
CLOSE = b"GET /api/live HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n"
CHUNKED = (
    b"POST /api/v1/events HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n"
    b"transfer-encoding: chunked\r\n"
)
EVENT = json.dumps(an_event()).encode()


class Hasty(HeadraceProtocol):
    read_seconds = 1.0


@asynccontextmanager
async def connected(port: int) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    """A connection of whose answers little is read ahead."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=4096)
    try:
        yield reader, writer
    finally:
        writer.close()
        with suppress(ConnectionError):
            await writer.wait_closed()


async def all_of(reader: asyncio.StreamReader) -> int:
    """How many bytes come until the other end closes, or cuts."""
    total = 0
    with suppress(ConnectionError):
        while piece := await reader.read(64 * 1024):
            total += len(piece)
    return total


async def test_who_does_not_read_his_answers_is_cut_off():
    async with running(Hasty) as edge, connected(edge.port) as (reader, writer):
        writer.write(LARGE * 20)
        while not edge.connections:
            await asyncio.sleep(0.01)
        while edge.connections:
            await asyncio.sleep(0.05)
        assert await all_of(reader) < 20 * 1024 * 1024
        assert (await edge.client.get("/api/live")).status_code == 200


async def test_who_reads_in_his_own_time_gets_everything():
    async with running(Hasty) as edge, connected(edge.port) as (reader, writer):
        whole = len((await edge.client.get("/docs/swagger-ui-bundle.js")).content)
        writer.write(LARGE * 10 + CLOSE)
        await asyncio.sleep(0.5)
        assert await all_of(reader) > 10 * whole


class Stuck:
    """A transport whose other end has taken nothing of the last answer."""

    aborted = False

    def get_write_buffer_size(self) -> int:
        return 100

    def is_closing(self) -> bool:
        return self.aborted

    def abort(self) -> None:
        self.aborted = True


async def test_what_is_not_read_while_a_connection_is_idle_does_not_keep_it(edge: Edge):
    protocol = edge.new_protocol()
    protocol.transport = stuck = Stuck()
    protocol.timeout_keep_alive_handler()
    assert stuck.aborted


async def test_requests_sent_ahead_are_answered_in_their_order(edge: Edge):
    some = [b"GET /%d HTTP/1.1\r\nhost: localhost\r\n\r\n" % n for n in range(MOST_WAITING)]
    answer = await edge.raw(b"".join(some) + CLOSE)
    assert answer.count(b"HTTP/1.1 404") == MOST_WAITING
    assert answer.endswith(b'{"live":true}')


async def test_of_too_many_sent_ahead_the_first_are_answered_and_no_more(edge: Edge):
    answer = await edge.raw(LIVE * 5000)
    assert answer.count(b"HTTP/1.1 200") == MOST_WAITING + 1
    assert answer.count(b"HTTP/1.1") == MOST_WAITING + 1


@pytest.mark.parametrize("rest", [b"no HTTP\r\n\r\n", b"\x00" * 100, CHUNKED + b"x: y\x00"])
async def test_what_is_no_http_does_not_take_the_place_of_an_answer(edge: Edge, rest: bytes):
    answer = await edge.raw(LIVE + rest)
    assert answer.count(b"HTTP/1.1") == 1
    assert answer.endswith(b'{"live":true}')


async def test_what_stands_behind_the_body_is_no_header(edge: Edge):
    body = b"%x\r\n%b\r\n0\r\n" % (len(EVENT), EVENT)
    answer = await edge.raw(CHUNKED + b"\r\n" + body + b"x-api-key: evp_all\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 401")
    good = CHUNKED + b"x-api-key: evp_all\r\n\r\n" + body + b"trailer: ok\r\n\r\n"
    assert (await edge.raw(good)).startswith(b"HTTP/1.1 202")


@pytest.mark.parametrize("noise", [b"x: " + b"y" * 60_000, b"x: y\r\n" * 10_000])
async def test_trailers_that_do_not_end_are_cut_off(noise: bytes):
    async with running(body_timeout=3600) as edge, connected(edge.port) as (reader, writer):
        writer.write(CHUNKED + b"x-api-key: evp_all\r\n\r\n0\r\n")
        with capture_logs() as logs:
            with suppress(ConnectionError):
                for _ in range(LARGEST_FRAMING // len(noise) + 10):
                    writer.write(noise)
                    await writer.drain()
            await all_of(reader)
        assert {"event": "api.wire.refused", "log_level": "info", "status": 431} in logs
