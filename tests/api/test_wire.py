"""Raw bytes against the server: clients that stall, hang up, never end, or speak no HTTP."""

import asyncio
import json

import pytest

from service.api.wire import HeadraceProtocol
from tests.api.edge import Edge, an_event, running

HEAD = b"POST /api/v1/events/batch HTTP/1.1\r\nhost: localhost\r\nx-api-key: evp_all\r\n"
LIVE = b"GET /api/live HTTP/1.1\r\nhost: localhost\r\n"
BODY = json.dumps({"events": [an_event()]}).encode()


class Hasty(HeadraceProtocol):
    head_seconds = 0.2
    linger_seconds = 0.2


def refusal(answer: bytes) -> tuple[int, str]:
    """Status and code of an answer in the face's form."""
    head, _, body = answer.partition(b"\r\n\r\n")
    return int(head.split()[1]), json.loads(body)["error"]["code"]


async def send_for_ever(writer: asyncio.StreamWriter, chunk: bytes) -> None:
    while True:
        writer.write(chunk)
        await writer.drain()
        await asyncio.sleep(0.01)


async def assert_goes_on(edge: Edge) -> None:
    """Others are served, and nothing of the bad request was stored."""
    assert edge.parts.stream.ids == []
    assert (await edge.send([an_event(eventId="good")])).status_code == 202


@pytest.mark.parametrize("length", [b"content-length: 500", b"transfer-encoding: chunked"])
async def test_a_body_that_stalls_is_408_and_the_connection_is_closed(length: bytes):
    async with running(body_timeout=0.2) as edge:
        half = b"5\r\n" + BODY[:5] if b"chunked" in length else BODY[:50]
        answer = await edge.raw(HEAD + length + b"\r\n\r\n" + half)
        assert refusal(answer) == (408, "REQUEST_TIMEOUT")
        await assert_goes_on(edge)


async def test_a_client_that_hangs_up_half_way_leaves_nothing_behind(edge: Edge):
    _, writer = await asyncio.open_connection("127.0.0.1", edge.port)
    writer.write(HEAD + b"content-length: %d\r\n\r\n" % len(BODY) + BODY[:-5])
    await writer.drain()
    writer.close()
    await writer.wait_closed()
    await asyncio.sleep(0.05)
    await assert_goes_on(edge)


async def test_stalled_clients_do_not_hold_up_the_others(edge: Edge):
    stalled = [await asyncio.open_connection("127.0.0.1", edge.port) for _ in range(50)]
    for _, writer in stalled:
        writer.write(HEAD + b"content-length: 500\r\n\r\n{")
    await assert_goes_on(edge)
    for _, writer in stalled:
        writer.close()


@pytest.mark.parametrize("start", [b"", b"GET", LIVE])
async def test_a_head_that_does_not_end_is_408(start: bytes):
    async with running(Hasty) as edge:
        assert refusal(await edge.raw(start)) == (408, "REQUEST_TIMEOUT")


async def test_a_head_that_does_not_end_is_408_on_a_kept_connection_too():
    async with running(Hasty) as edge:
        answer = await edge.raw(LIVE + b"\r\n" + LIVE)
    assert b'{"live":true}' in answer
    assert refusal(answer[answer.index(b"HTTP/1.1 408") :]) == (408, "REQUEST_TIMEOUT")


async def test_a_quiet_connection_may_stay_open_between_requests():
    async with running(Hasty) as edge:
        reader, writer = await asyncio.open_connection("127.0.0.1", edge.port)
        for _ in range(2):
            writer.write(LIVE + b"\r\n")
            assert (await reader.readuntil(b"}")).startswith(b"HTTP/1.1 200")
            await asyncio.sleep(0.4)
        writer.close()


@pytest.mark.parametrize("header", [b"x: " + b"y" * 40_000, b"x: y\r\n" * 8_000])
@pytest.mark.parametrize("end", [b"\r\n\r\n", b""])
async def test_a_large_head_is_431(edge: Edge, header: bytes, end: bytes):
    assert refusal(await edge.raw(LIVE + header + end)) == (431, "PAYLOAD_TOO_LARGE")
    await assert_goes_on(edge)


FORMS = {
    "/api/v1/events": {"success", "error"},
    "/v1/ingest/events": {"code", "message", "details"},
    "/apigw/ingest/customers": {"error", "message", "details"},
    "/api/users/me": {"detail"},
}
"""What an error has, by the face that a path belongs to."""


async def form(edge: Edge, request: bytes) -> set[str]:
    return set(json.loads((await edge.raw(request)).partition(b"\r\n\r\n")[2]))


@pytest.mark.parametrize(("path", "fields"), FORMS.items())
async def test_what_is_no_whole_request_is_refused_in_the_form_of_its_face(path, fields):
    line = f"POST {path}?a=b HTTP/1.1\r\nhost: localhost\r\n".encode()
    async with running(Hasty) as edge:
        assert await form(edge, line) == fields
        assert await form(edge, line + b"x: " + b"y" * 40_000) == fields
        assert await form(edge, line + b"no header\r\n\r\n") == fields


async def test_a_request_after_another_face_s_is_refused_in_its_own_form(edge: Edge):
    reader, writer = await asyncio.open_connection("127.0.0.1", edge.port)
    writer.write(b"GET /v1/nothing HTTP/1.1\r\nhost: localhost\r\n\r\n")
    assert b"not_found" in await reader.readuntil(b"}}")
    writer.write(b"hello\r\n\r\n")
    assert refusal(await reader.read()) == (400, "VALIDATION_ERROR")
    writer.close()


async def test_a_head_that_grows_large_bit_by_bit_is_431(edge: Edge):
    reader, writer = await asyncio.open_connection("127.0.0.1", edge.port)
    for piece in [LIVE + b"x: ", *[b"y" * 9000] * 4]:
        writer.write(piece)
        await asyncio.sleep(0.05)
    assert refusal(await reader.read()) == (431, "PAYLOAD_TOO_LARGE")
    writer.close()


@pytest.mark.parametrize(
    "request_bytes",
    [
        b"hello\r\n\r\n",
        b"\x16\x03\x01\x02\x00",
        LIVE + b"content-length: 5\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
        LIVE + b"content-length: 5\r\ncontent-length: 6\r\n\r\nhello",
        LIVE + b"content-length: -1\r\n\r\n",
    ],
)
async def test_what_is_not_http_is_400_in_the_faces_form(edge: Edge, request_bytes: bytes):
    assert refusal(await edge.raw(request_bytes)) == (400, "VALIDATION_ERROR")
    await assert_goes_on(edge)


async def test_a_body_announced_too_large_is_refused_before_it_is_sent(edge: Edge):
    request = HEAD + b"expect: 100-continue\r\ncontent-length: 99999999\r\n\r\n"
    reader, writer = await asyncio.open_connection("127.0.0.1", edge.port)
    writer.write(request)
    assert (await reader.readline()).startswith(b"HTTP/1.1 413")
    writer.close()


async def test_a_body_that_never_ends_is_refused_and_then_cut_off():
    async with running(Hasty, max_body_bytes=1000) as edge:
        reader, writer = await asyncio.open_connection("127.0.0.1", edge.port)
        chunk = b"400\r\n" + b"[" * 1024 + b"\r\n"
        writer.write(HEAD + b"transfer-encoding: chunked\r\n\r\n" + chunk)
        assert (await reader.readline()).startswith(b"HTTP/1.1 413")
        with pytest.raises(ConnectionError):
            await send_for_ever(writer, chunk)


async def test_a_connection_is_good_for_more_after_a_refused_body():
    async with running(max_body_bytes=1000) as edge:
        long = HEAD + b"content-length: 2000\r\n\r\n" + b"[" * 2000
        answer = await edge.raw(long + LIVE + b"connection: close\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 413")
    assert answer.endswith(b'{"live":true}')


async def test_a_client_that_asks_whether_to_go_on_is_told_at_once(edge: Edge):
    reader, writer = await asyncio.open_connection("127.0.0.1", edge.port)
    writer.write(HEAD + b"expect: 100-continue\r\ncontent-length: %d\r\n\r\n" % len(BODY))
    async with asyncio.timeout(2):
        assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 100 ")
        writer.write(BODY)
        assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 202 ")
    writer.close()


async def test_an_answer_without_a_body_leaves_too(edge: Edge):
    head = b"HEAD /api/live HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n"
    async with asyncio.timeout(2):
        assert (await edge.raw(head)).startswith(b"HTTP/1.1 200 ")
