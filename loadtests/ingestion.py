"""Events in: single ones against a bare handler, batches as fast as they are taken."""

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial

import msgspec
import numpy as np

from loadtests.figures import Figure
from loadtests.generator import Sent
from loadtests.processes import API_KEY, Failed, Subject, bare
from loadtests.rounds import beside, checked, in_turn
from loadtests.scale import Scale
from service.client import Client, Question

EVENT = "/api/v1/events"
BATCH = "/api/v1/events/batch"
KEY = {"x-api-key": API_KEY}
EVENTS = 500
"""In a batch."""
SINGLE_CONNECTIONS = 128
BATCH_CONNECTIONS = 16
SUSTAINED = "batches.sustained"
"""The figure that other measurements take half of."""
LEAST_EVENTS = 100_000.0
"""A second, acknowledged and counted: the target."""
MOST_RESIDENT = 1024.0
_MOST_GROWTH = 0.01
"""Of the lag, as a share of the rate; more is not level."""
_SAMPLE_SECONDS = 1.0
_MB = 2**20


async def singles(scale: Scale, service: Subject) -> list[Figure]:
    """Requests a second with one event each, beside bare handlers that decode the same body."""
    one = {"what": "event", "connections": SINGLE_CONNECTIONS, "seconds": scale.round}
    with bare("litestar") as handlers, bare("sink") as sink:
        measured = await in_turn(
            scale,
            {
                "service": partial(service.carry, paths=[EVENT], headers=KEY, **one),
                "raw": partial(handlers.carry, paths=["/event-raw"], headers=KEY, **one),
                "typed": partial(handlers.carry, paths=["/event"], headers=KEY, **one),
                "sink": partial(sink.carry, paths=[EVENT], headers=KEY, **one),
            },
        )
    bar = max(measured["raw"], measured["typed"], key=lambda handler: handler.rate)
    single = Figure(
        name="singles.rate",
        about="Single events",
        limit_about="bare Litestar handler that decodes",
        target_ratio=0.6,
    )
    return [
        *beside(single, measured["service"], bar),
        _ceiling("singles", measured["sink"].rate, "requests/s"),
    ]


async def batches(scale: Scale, service: Subject) -> list[Figure]:
    """Batches for as long as the scale says, and whether the store kept up."""
    load = {"paths": [BATCH], "what": "batch", "headers": KEY, "connections": BATCH_CONNECTIONS}
    with bare("asgi") as decoder:
        limit = checked("bare", await decoder.carry(**load, seconds=scale.round))
    with bare("sink") as sink:
        ceiling = checked("sink", await sink.carry(**load, seconds=scale.round))
    async with Client(service.url, API_KEY) as client:
        before = await counted(client)
        async with _watching(service, client) as watch:
            sent = checked(
                "batches",
                await service.carry(**load, seconds=scale.sustained, most=scale.most_batches),
            )
        receipt = msgspec.json.decode(sent.last)["data"]["receipt"]
        until = await all_counted(client, receipt, before + sent.answered * EVENTS)
    watch.before = before
    return _batch_figures(sent, until, watch, limit, ceiling.rate * EVENTS)


@dataclass(slots=True)
class _Watch:
    """What was seen while batches were sent, at moments of `time.monotonic`."""

    before: int = 0
    counted: list[tuple[float, int]] = field(default_factory=list)
    resident: list[tuple[float, int]] = field(default_factory=list)

    def lag(self, sent: Sent) -> list[tuple[float, float]]:
        """Events acknowledged and not counted yet, at each look."""
        moments, answered = zip(*sent.samples, strict=True)
        return [
            (moment, float(np.interp(moment, moments, answered)) * EVENTS - (total - self.before))
            for moment, total in self.counted
            if moment <= moments[-1]
        ]


@asynccontextmanager
async def _watching(service: Subject, client: Client) -> AsyncIterator[_Watch]:
    """Look once a second at what is counted and at the memory of the service."""
    watch = _Watch()

    async def look() -> None:
        while True:
            watch.resident.append((time.monotonic(), service.resident))
            asked = time.monotonic()
            total = await counted(client)
            watch.counted.append(((asked + time.monotonic()) / 2, total))
            await asyncio.sleep(_SAMPLE_SECONDS)

    looking = asyncio.create_task(look())
    try:
        yield watch
    finally:
        looking.cancel()
        await asyncio.gather(looking, return_exceptions=True)


async def counted(client: Client, after: str | None = None) -> int:
    """Events of the last hour, asked so that no cache can answer."""
    now = datetime.now(UTC)
    start, end = now - timedelta(hours=1), now + timedelta(minutes=1)
    metrics = await client.metrics(Question(start=start, end=end, limit=1, after=after))
    return metrics.total_events


async def all_counted(client: Client, receipt: str, expected: int) -> float:
    """When everything was counted. Raises Failed when it is not what was acknowledged."""
    deadline = time.monotonic() + 60
    while (total := await counted(client, receipt)) != expected:
        if time.monotonic() > deadline or total > expected:
            raise Failed(f"{expected} events acknowledged, {total} counted")
    return time.monotonic()


def _batch_figures(
    sent: Sent, until: float, watch: _Watch, limit: Sent, ceiling: float
) -> list[Figure]:
    events = sent.answered * EVENTS
    sustained = events / (until - sent.began)
    lag = watch.lag(sent)
    return [
        Figure(
            name=SUSTAINED,
            about=f"Batches of {EVENTS}, acknowledged and counted, {sent.seconds:.0f} s",
            value=sustained,
            unit="events/s",
            target=LEAST_EVENTS,
            limit=limit.rate * EVENTS,
            limit_about="bare ASGI handler that decodes",
        ),
        Figure(
            name="batches.acknowledged",
            about="… acknowledged alone",
            value=sent.rate * EVENTS,
            unit="events/s",
        ),
        Figure(name="batches.p50", about="… latency p50", value=sent.p50, unit="ms", better="less"),
        Figure(name="batches.p99", about="… latency p99", value=sent.p99, unit="ms", better="less"),
        Figure(
            name="batches.lag",
            about="… acknowledged and not yet counted at the end",
            value=lag[-1][1] if lag else 0.0,
            unit="events",
            better="less",
        ),
        Figure(
            name="batches.growth",
            about="… growth of that over the second half",
            value=_slope(lag),
            unit="events/s",
            better="less",
            target=_MOST_GROWTH * sustained,
        ),
        Figure(
            name="batches.cost",
            about="… processor time an event (API, writer, store, stream)",
            value=sent.cost / EVENTS,
            unit="µs",
            better="less",
            limit=limit.cost / EVENTS,
            limit_about="bare ASGI handler that decodes",
        ),
        _ceiling("batches", ceiling, "events/s"),
        Figure(
            name="batches.generator",
            about="Generator's share of the processor time",
            value=100 * sent.cpu_seconds / sent.seconds,
            unit="% of a core",
            better="less",
        ),
        *_resident_figures(events, watch.resident),
    ]


def _resident_figures(events: int, resident: Sequence[tuple[float, int]]) -> list[Figure]:
    sizes = [(moment, size / _MB) for moment, size in resident]
    return [
        Figure(
            name="memory.most",
            about=f"Resident at most, {events / 1e6:.1f} M events",
            value=max(size for _, size in sizes),
            unit="MB",
            better="less",
            target=MOST_RESIDENT,
        ),
        Figure(
            name="memory.growth",
            about="… growth over the second half",
            value=_slope(sizes) * 60,
            unit="MB/min",
            better="less",
        ),
    ]


def _ceiling(section: str, rate: float, unit: str) -> Figure:
    return Figure(
        name=f"{section}.ceiling",
        about="Generator's own ceiling (nobody looks)",
        value=rate,
        unit=unit,
    )


def _slope(values: Sequence[tuple[float, float]]) -> float:
    """How fast it grows, a second, over the second half of the time."""
    half = values[len(values) // 2 :]
    if len(half) < 3:
        return 0.0
    moments, heights = zip(*half, strict=True)
    return float(np.polyfit(np.subtract(moments, moments[0]), heights, 1)[0])
