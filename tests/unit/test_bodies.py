"""Bodies: whole, bounded in bytes, time and memory."""

import asyncio
import gzip
import tracemalloc
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any

import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as some

from service.api.bodies import ClientGone, content_type, read_body
from service.errors import InvalidInput, RequestTimeout, TooLarge, UnsupportedMedia

Receive = Callable[[], Awaitable[Any]]
LARGEST = 16 * 1024 * 1024


def arriving(*pieces: bytes) -> Receive:
    """A connection on which a body arrives in pieces, and then nothing more."""
    messages = [{"type": "http.request", "body": piece, "more_body": True} for piece in pieces]
    messages[-1]["more_body"] = False

    async def receive() -> Any:
        return messages.pop(0) if messages else await asyncio.sleep(3600)

    return receive


async def read(*pieces: bytes, coding: bytes = b"", largest: int = LARGEST) -> bytes:
    headers = {b"content-encoding": coding} if coding else {}
    return await read_body(headers, arriving(*pieces), largest, 5)


def streamed(body: bytes) -> bytes:
    """A zstd frame that does not say how long its content is."""
    compressor = zstandard.ZstdCompressor().compressobj()
    return compressor.compress(body) + compressor.flush()


CODERS = {b"gzip": gzip.compress, b"x-gzip": gzip.compress, b"zstd": zstandard.compress}


@given(some.lists(some.binary(max_size=50), min_size=1))
def test_pieces_are_put_together(pieces: list[bytes]):
    assert asyncio.run(read(*pieces)) == b"".join(pieces)


@pytest.mark.parametrize("coding", [b"", b"identity", b" Identity "])
async def test_a_plain_body_is_left_alone(coding: bytes):
    assert await read(b"hello", coding=coding) == b"hello"


@pytest.mark.parametrize("coding", CODERS)
@pytest.mark.parametrize("body", [b"", b"hello", bytes(range(256)) * 20_000])
async def test_a_compressed_body_is_inflated(coding: bytes, body: bytes):
    packed = CODERS[coding](body)
    assert await read(packed[:10], packed[10:], coding=coding) == body


@pytest.mark.parametrize("coding", CODERS)
async def test_a_body_may_have_several_members(coding: bytes):
    pack = CODERS[coding]
    assert (
        await read(pack(b"a") + pack(b"") + pack(b"b" * 5000), coding=coding) == b"a" + b"b" * 5000
    )


async def test_a_zstd_frame_need_not_say_its_length():
    assert await read(streamed(b"hello" * 1000), coding=b"zstd") == b"hello" * 1000


async def test_a_zstd_frame_may_be_skippable():
    skippable = b"\x50\x2a\x4d\x18" + (3).to_bytes(4, "little") + b"abc"
    assert await read(skippable + zstandard.compress(b"a"), coding=b"zstd") == b"a"


async def test_a_zstd_frame_that_wants_much_memory_is_refused():
    parameters = zstandard.ZstdCompressionParameters(window_log=27)
    compressor = zstandard.ZstdCompressor(compression_params=parameters).compressobj()
    packed = compressor.compress(b"a" * 10_000_000) + compressor.flush()
    with pytest.raises(InvalidInput):
        await read(packed, coding=b"zstd")


@pytest.mark.parametrize("pack", [gzip.compress, zstandard.compress, streamed])
async def test_a_bomb_is_refused_without_taking_its_memory(pack: Callable[[bytes], bytes]):
    bomb = pack(bytes(300_000_000))
    coding = b"gzip" if pack is gzip.compress else b"zstd"
    tracemalloc.start()
    with pytest.raises(TooLarge):
        await read(bomb, coding=coding)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 3 * LARGEST


@pytest.mark.parametrize("coding", CODERS)
async def test_thousands_of_empty_members_are_refused(coding: bytes):
    with pytest.raises(InvalidInput):
        await read(CODERS[coding](b"") * 100_000, coding=coding)


@pytest.mark.parametrize("coding", CODERS)
@pytest.mark.parametrize("cut", [1, 5, 9])
async def test_a_compressed_body_that_is_cut_off_is_refused(coding: bytes, cut: int):
    with pytest.raises(InvalidInput):
        await read(CODERS[coding](b"hello" * 100)[:-cut], coding=coding)


@given(some.sampled_from(sorted(CODERS)), some.binary(max_size=200))
def test_rubbish_never_does_worse_than_being_refused(coding: bytes, body: bytes):
    with suppress(InvalidInput):
        asyncio.run(read(body, coding=coding))


@pytest.mark.parametrize("coding", [b"br", b"deflate", b"gzip, gzip", b"\xff"])
async def test_another_coding_is_refused(coding: bytes):
    with pytest.raises(UnsupportedMedia):
        await read(b"hello", coding=coding)


async def test_the_largest_body_is_read_and_one_byte_more_is_not():
    assert len(await read(b"x" * 50, b"x" * 50, largest=100)) == 100
    with pytest.raises(TooLarge):
        await read(b"x" * 50, b"x" * 51, largest=100)


async def test_a_body_announced_too_large_is_refused_before_it_is_read():
    with pytest.raises(TooLarge):
        await read_body({b"content-length": b"101"}, asyncio.Event().wait, 100, 5)


async def test_a_body_that_does_not_come_is_given_up():
    with pytest.raises(RequestTimeout):
        await read_body({}, asyncio.Event().wait, 100, 0.01)


async def test_a_body_that_comes_too_slowly_is_given_up():
    async def trickle() -> Any:
        await asyncio.sleep(0.005)
        return {"type": "http.request", "body": b"x", "more_body": True}

    with pytest.raises(RequestTimeout):
        await read_body({}, trickle, LARGEST, 0.05)


@pytest.mark.parametrize("after", [0, 3])
async def test_a_client_that_hangs_up_is_told_apart(after: int):
    pieces = [{"type": "http.request", "body": b"x", "more_body": True}] * after

    async def receive() -> Any:
        return pieces.pop() if pieces else {"type": "http.disconnect"}

    with pytest.raises(ClientGone):
        await read_body({}, receive, LARGEST, 5)


@pytest.mark.parametrize(
    ("header", "kind"),
    [
        (None, b"application/json"),
        (b"application/json", b"application/json"),
        (b"Application/JSON; charset=UTF-8", b"application/json"),
        (b"application/x-ndjson ;charset=utf8", b"application/x-ndjson"),
    ],
)
def test_the_content_type_is_read_leniently(header: bytes | None, kind: bytes):
    headers = {} if header is None else {b"content-type": header}
    assert content_type(headers, b"application/json", b"application/x-ndjson") == kind


@pytest.mark.parametrize("header", [b"", b"text/plain", b"application/json; charset=latin-1"])
def test_another_content_type_is_refused(header: bytes):
    with pytest.raises(UnsupportedMedia):
        content_type({b"content-type": header}, b"application/json")
