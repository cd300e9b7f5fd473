"""From the acknowledgement of an event to the answer that counts it, at half of the maximum."""

import asyncio
import time
from collections import Counter

import numpy as np

from loadtests.figures import Figure
from loadtests.ingestion import BATCH, BATCH_CONNECTIONS, EVENTS, KEY
from loadtests.processes import API_KEY, Failed, Subject
from loadtests.rounds import checked
from loadtests.scale import Scale
from service.client import Client, Question

_A_SECOND = 2
"""Probes."""
_TYPES = 20
"""Event types of the probes: each question is about one, so that its answer can be checked."""


async def freshness(scale: Scale, service: Subject, maximum: float) -> list[Figure]:
    """The figures; `maximum` is the highest load in events a second."""
    seconds = scale.probes / _A_SECOND + 2
    load = asyncio.create_task(
        service.carry(
            paths=[BATCH],
            what="batch",
            headers=KEY,
            connections=2 * BATCH_CONNECTIONS,
            seconds=seconds,
            rate=maximum / 2 / EVENTS,
        )
    )
    await asyncio.sleep(1)
    async with Client(service.url, API_KEY) as client:
        ages = await _probe_in_turn(client, scale.probes)
    sent = checked("half load", await load)
    p50, p99 = np.percentile(ages, (50, 99)) * 1000
    about = f"at {sent.answered * EVENTS / seconds:,.0f} events/s"
    return [
        Figure(
            name="freshness.p50",
            about=f"Acknowledged to counted, p50, {about}",
            value=float(p50),
            unit="ms",
            better="less",
            target=250,
        ),
        Figure(
            name="freshness.p99",
            about="… p99",
            value=float(p99),
            unit="ms",
            better="less",
            target=1000,
        ),
        Figure(
            name="freshness.load_p99",
            about="Latency of a batch at that load, p99",
            value=sent.p99,
            unit="ms",
            better="less",
        ),
    ]


async def _probe_in_turn(client: Client, probes: int) -> list[float]:
    """Send probes at a fixed pace, whatever becomes of those before; the age of each in seconds."""
    sent: Counter[str] = Counter()
    began = time.monotonic()
    under_way = []
    for number in range(probes):
        await asyncio.sleep(max(0.0, began + number / _A_SECOND - time.monotonic()))
        kind = f"probe_{number % _TYPES:02d}"
        sent[kind] += 1
        under_way.append(asyncio.create_task(_probe(client, kind, sent[kind])))
    return list(await asyncio.gather(*under_way))


async def _probe(client: Client, kind: str, expected: int) -> float:
    """How long after its acknowledgement an event is counted in an answer."""
    now = f"{np.datetime64('now', 'ms')}Z"
    event = {"eventType": kind, "userId": "probe", "sessionId": "probe", "timestamp": now}
    taken = await client.send([event])
    acknowledged = time.monotonic()
    question = Question(time_range="15m", event_type=kind, after=taken.receipts[0])
    metrics = await client.metrics(question)
    if metrics.total_events < expected:
        raise Failed(f"{metrics.total_events} probes counted where {expected} are acknowledged")
    return time.monotonic() - acknowledged
