"""Three times as much as can be taken: what is taken then, how soon, and how it ends."""

import asyncio
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

import msgspec

from loadtests.figures import Figure
from loadtests.generator import Sent
from loadtests.ingestion import BATCH, EVENTS, KEY, all_counted, counted
from loadtests.processes import API_KEY, Failed, Subject
from loadtests.scale import Scale
from service.client import Client

TIMES = 3
CONNECTIONS = 512
"""As many callers as it takes: none waits for another one's answer."""
MOST_LATE = 2000.0
"""Milliseconds of the accepted, at the 99th percentile: the target."""
MOST_RECOVERY = 5.0
"""Seconds until everything is taken again: the target."""
_CALM = 20
"""Batches a second afterwards, each of which has to be taken."""
_REFUSED = {"429", "503"}
_MB = 2**20


async def overload(scale: Scale, service: Subject, maximum: float) -> list[Figure]:
    """Batches at three times the `maximum` (events a second), open loop, then few of them."""
    load: dict[str, Any] = {"paths": [BATCH], "what": "batch", "headers": KEY}
    async with Client(service.url, API_KEY) as client:
        before = await counted(client)
        async with _resident(service) as resident:
            sent = await service.carry(
                **load,
                connections=min(CONNECTIONS, scale.pollers),
                rate=TIMES * maximum / EVENTS,
                seconds=scale.sustained,
            )
        if wrong := set(sent.errors) - _REFUSED:
            raise Failed(f"overload was answered with {sorted(wrong)}: {sent.errors}")
        began, calm = time.monotonic(), await _calm(service, load)
        receipt = msgspec.json.decode(calm[-1].last)["data"]["receipt"]
        answered = sent.answered + sum(each.answered for each in calm)
        await all_counted(client, receipt, before + answered * EVENTS)
    return _figures(sent, calm[-1].began - began, resident, maximum)


async def _calm(service: Subject, load: Mapping[str, Any]) -> list[Sent]:
    """A second of few batches after the other, until one is taken whole."""
    calm: list[Sent] = []
    while not calm or calm[-1].errors:
        calm.append(await service.carry(**load, connections=8, rate=_CALM, seconds=1.0))
        if len(calm) > MOST_RECOVERY * 6:
            raise Failed(f"after an overload batches are still refused: {calm[-1].errors}")
    return calm


@asynccontextmanager
async def _resident(service: Subject) -> AsyncIterator[list[float]]:
    """Megabytes resident, looked at twice a second."""
    sizes: list[float] = []

    async def look() -> None:
        while True:
            sizes.append(service.resident / _MB)
            await asyncio.sleep(0.5)

    looking = asyncio.create_task(look())
    try:
        yield sizes
    finally:
        looking.cancel()
        await asyncio.gather(looking, return_exceptions=True)


def _figures(sent: Sent, recovery: float, resident: list[float], maximum: float) -> list[Figure]:
    refused = sum(sent.errors.values())
    return [
        Figure(
            name="overload.rate",
            about=f"{TIMES} times the maximum for {sent.seconds:.0f} s: acknowledged",
            value=sent.rate * EVENTS,
            unit="events/s",
            limit=maximum,
            limit_about="the maximum",
        ),
        Figure(
            name="overload.refused",
            about="… refused, each with 503 and Retry-After",
            value=100 * refused / max(1, refused + sent.answered),
            unit="%",
            better="less",
        ),
        Figure(
            name="overload.p99",
            about="… latency p99 of the accepted, from when they were due",
            value=sent.p99,
            unit="ms",
            better="less",
            target=MOST_LATE,
        ),
        Figure(
            name="overload.resident",
            about="… resident at most",
            value=max(resident),
            unit="MB",
            better="less",
        ),
        Figure(
            name="overload.recovery",
            about="… until a second's batches are all taken again",
            value=recovery,
            unit="s",
            better="less",
            target=MOST_RECOVERY,
        ),
    ]
