"""Others' latency while thousands of clients only hold a connection open."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from loadtests.figures import Figure
from loadtests.processes import Subject
from loadtests.questions import METRICS
from loadtests.rounds import checked
from loadtests.scale import Scale

_ASKED = b"GET /api/live HTTP/1.1\r\nhost: localhost\r\n\r\n"
_AT_ONCE = 100
_RATE = 500.0
"""Requests a second of the others."""


async def idle(scale: Scale, service: Subject) -> list[Figure]:
    """The latency of cached answers beside five idle connections for each poller of the scale."""
    many = 5 * scale.pollers
    before = service.resident
    async with _held(service.port, many):
        grown = service.resident - before
        sent = checked(
            "idle",
            await service.carry(
                paths=[f"{METRICS}?timeRange=24h"],
                what="question",
                status=200,
                connections=16,
                seconds=2 * scale.round,
                rate=_RATE,
            ),
        )
    return [
        Figure(
            name="idle.p99",
            about=f"Cached metrics beside {many:,} idle connections, {_RATE:g} requests/s, p99",
            value=sent.p99,
            unit="ms",
            better="less",
            target=1000,
        ),
        Figure(
            name="idle.resident",
            about="… memory of an idle connection",
            value=grown / many / 1024,
            unit="KB",
            better="less",
        ),
    ]


@asynccontextmanager
async def _held(port: int, many: int) -> AsyncIterator[None]:
    """So many connections on each of which one request was answered."""
    held: list[asyncio.StreamWriter] = []
    try:
        for _ in range(0, many, _AT_ONCE):
            held += await asyncio.gather(*(_kept(port) for _ in range(min(_AT_ONCE, many))))
        yield
    finally:
        for writer in held:
            writer.close()


async def _kept(port: int) -> asyncio.StreamWriter:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(_ASKED)
    await reader.readuntil(b"}")
    return writer
