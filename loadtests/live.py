"""From the acknowledgement of an event to its push, with many listeners to one question."""

import asyncio
import re
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import numpy as np

from loadtests.figures import Figure
from loadtests.processes import API_KEY, Failed, Subject
from loadtests.scale import Scale
from service.client import Client

_KIND = "probe_live"
_PAUSE = 1.5
"""Seconds between probes: longer than the second that is left between two pushes."""
_PATIENCE = 30
_AT_ONCE = 100
_REQUEST = (
    f"GET /api/v1/analytics/live?timeRange=15m&eventType={_KIND} HTTP/1.1\r\n"
    f"host: 127.0.0.1\r\nx-api-key: {API_KEY}\r\n\r\n"
).encode()
_TOTAL = re.compile(rb'"totalEvents":(\d+)')


async def live(scale: Scale, service: Subject) -> list[Figure]:
    """The figures; every listener must be told of every probe."""
    async with _listeners(service.port, scale.pollers) as listeners, _client(service) as client:
        await asyncio.gather(*(listener.hears(0) for listener in listeners))
        delays = [await _probe(client, listeners, n) for n in range(1, scale.probes // 2 + 2)]
    p50, p99 = np.percentile(np.concatenate(delays), (50, 99)) * 1000
    about = f"Acknowledged to pushed, p50, to {len(listeners):,} listeners"
    return [
        Figure(name="live.p50", about=about, value=float(p50), unit="ms", better="less"),
        Figure(name="live.p99", about="… p99", value=float(p99), unit="ms", better="less"),
    ]


async def _probe(client: Client, listeners: list["_Listener"], number: int) -> list[float]:
    """Send an event; how long after its acknowledgement each listener has heard of it."""
    await asyncio.sleep(_PAUSE)
    hearing = [asyncio.create_task(listener.hears(number)) for listener in listeners]
    now = f"{np.datetime64('now', 'ms')}Z"
    event = {"eventType": _KIND, "userId": "probe", "sessionId": "probe", "timestamp": now}
    await client.send([event])
    acknowledged = time.monotonic()
    async with asyncio.timeout(_PATIENCE):
        return [max(0.0, heard - acknowledged) for heard in await asyncio.gather(*hearing)]


class _Listener:
    """One connection that listens."""

    def __init__(self, reader: asyncio.StreamReader) -> None:
        self._reader = reader

    async def hears(self, total: int) -> float:
        """When it was told that so many events are counted. Raises Failed for more."""
        while True:
            event = await self._reader.readuntil(b"\n\n")
            if (found := _TOTAL.search(event)) and int(found[1]) >= total:
                if int(found[1]) > total:
                    raise Failed(f"{found[1].decode()} probes counted where {total} were sent")
                return time.monotonic()


def _client(service: Subject) -> Client:
    return Client(service.url, API_KEY)


@asynccontextmanager
async def _listeners(port: int, count: int) -> AsyncIterator[list[_Listener]]:
    turns = asyncio.Semaphore(_AT_ONCE)

    async def connect() -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        async with turns:
            reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=1 << 20)
        writer.write(_REQUEST)
        return reader, writer

    made = await asyncio.gather(*(connect() for _ in range(count)))
    try:
        yield [_Listener(reader) for reader, _ in made]
    finally:
        for _, writer in made:
            writer.close()
