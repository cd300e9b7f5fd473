"""Answers out: from the cache against bare handlers, and from a store of ten million events."""

import asyncio
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial

import httpx2

from loadtests.figures import Figure
from loadtests.ingestion import BATCH, BATCH_CONNECTIONS, EVENTS, KEY, counted
from loadtests.processes import API_KEY, Failed, Subject, bare
from loadtests.rounds import Measured, beside, checked, in_turn
from loadtests.scale import Scale
from service.client import Client

METRICS = "/api/v1/analytics/metrics"
CONNECTIONS = 64
_MOST_FOR_A_KEY = 1.3
"""What a caller with a key may cost, measured by one without."""
RANGES = {"1h": 30.0, "24h": 60.0, "7d": 150.0}
"""Each with its target: milliseconds at the median."""
_DAY = "timeRange=24h"
_FIRST = 11
"""The lowest `limit` that makes a question new; 10 is what is asked without one."""
_COMPUTED = '"cached":false'


async def cached(scale: Scale, service: Subject) -> list[Figure]:
    """Requests a second for one answer that is kept, and for the news that it is the same."""
    document = _get(service, _DAY)
    day, tag = f"{METRICS}?{_DAY}", {"if-none-match": "*"}
    with tempfile.NamedTemporaryFile() as file:
        file.write(document.content)
        file.flush()
        with bare("litestar", file.name) as handlers, bare("sink") as sink:
            poll = {"what": "question", "connections": CONNECTIONS, "seconds": scale.round}
            ok, same = {**poll, "status": 200}, {**poll, "status": 304}
            measured = await in_turn(
                scale,
                {
                    "service": partial(service.carry, paths=[day], **ok),
                    "key": partial(service.carry, paths=[day], headers=KEY, **ok),
                    "json": partial(handlers.carry, paths=["/document"], **ok),
                    "bytes": partial(handlers.carry, paths=["/bytes"], **ok),
                    "service 304": partial(service.carry, paths=[day], headers=tag, **same),
                    "unchanged": partial(handlers.carry, paths=["/unchanged"], **same),
                    "sink": partial(sink.carry, paths=["/"], **poll),
                },
            )
    size = len(document.content) / 1024
    return [
        *_compared("answers.json", f"Cached metrics, {size:.1f} KB", measured, "service", "json"),
        _with_a_key(measured["key"], measured["service"]),
        *_compared("answers.bytes", "… beside ready bytes", measured, "service", "bytes"),
        *_compared("answers.304", "Cached metrics, 304", measured, "service 304", "unchanged"),
        Figure(
            name="answers.ceiling",
            about="Generator's own ceiling (nobody looks)",
            value=measured["sink"].rate,
            unit="requests/s",
        ),
    ]


async def pollers(scale: Scale, service: Subject) -> list[Figure]:
    """How many answers are computed when many ask the same new question at once."""
    sent = checked(
        "pollers",
        await service.carry(
            paths=[f"{METRICS}?{_DAY}&limit=99"],
            what="question",
            status=200,
            connections=scale.pollers,
            seconds=30,
            most=scale.pollers,
            mark=_COMPUTED,
        ),
    )
    return [
        Figure(
            name="pollers.computed",
            about=f"Answers computed for {sent.answered:,} simultaneous pollers of a new question",
            value=sent.marked,
            unit="answers",
            better="less",
            target=1,
        ),
        Figure(
            name="pollers.worst",
            about="… until the last of them has it",
            value=sent.worst,
            unit="ms",
            better="less",
        ),
    ]


async def uncached(scale: Scale, service: Subject, maximum: float) -> list[Figure]:
    """Each range, asked so that no cache can answer: quiet, and at half of the highest load."""
    about = f"over {scale.rows / 1e6:g} M events"
    quiet = await _each_range(scale, service, _FIRST, "quiet", about)
    async with Client(service.url, API_KEY) as client, loaded(service, maximum / 2):
        before, began = await counted(client), time.monotonic()
        busy = await _each_range(scale, service, _FIRST + scale.questions, "busy", "… busy")
        rate = (await counted(client) - before) / (time.monotonic() - began)
    return [
        *quiet,
        Figure(
            name="store.load",
            about=f"Counted meanwhile below (half of the maximum is {maximum / 2:,.0f})",
            value=rate,
            unit="events/s",
        ),
        *busy,
    ]


@asynccontextmanager
async def loaded(service: Subject, rate: float) -> AsyncIterator[None]:
    """Batches come in at `rate` events a second."""
    load = asyncio.create_task(
        service.carry(
            paths=[BATCH],
            what="batch",
            headers=KEY,
            connections=2 * BATCH_CONNECTIONS,
            seconds=600,
            rate=rate / EVENTS,
        )
    )
    await asyncio.sleep(1)
    try:
        yield
    finally:
        load.cancel()
        await asyncio.gather(load, return_exceptions=True)


async def _each_range(
    scale: Scale, service: Subject, first: int, state: str, about: str
) -> list[Figure]:
    figures = []
    for name, target in RANGES.items():
        limits = range(first, first + scale.questions)
        sent = checked(
            f"{name} {state}",
            await service.carry(
                paths=[f"{METRICS}?timeRange={name}&limit={limit}" for limit in limits],
                what="question",
                status=200,
                connections=1,
                seconds=60,
                most=scale.questions,
                mark=_COMPUTED,
            ),
        )
        if sent.marked != sent.answered or sent.store_p50 is None:
            raise Failed(f"{sent.answered - sent.marked} answers came from the cache")
        figures += [
            Figure(
                name=f"store.{name}.{state}.p50",
                about=f"Uncached {name}, at the store, p50, {about}",
                value=sent.store_p50,
                unit="ms",
                better="less",
                target=target,
            ),
            Figure(
                name=f"answers.{name}.{state}.p50",
                about="… over HTTP, p50",
                value=sent.p50,
                unit="ms",
                better="less",
            ),
            Figure(
                name=f"answers.{name}.{state}.p95",
                about="… p95",
                value=sent.p95,
                unit="ms",
                better="less",
            ),
        ]
    return figures


def _compared(
    name: str, about: str, measured: dict[str, Measured], service: str, limit: str
) -> list[Figure]:
    figure = Figure(
        name=name,
        about=about,
        limit_about=f"bare Litestar handler, {limit}",
        target_ratio=0.7,
    )
    return beside(figure, measured[service], measured[limit])


def _with_a_key(measured: Measured, anonymous: Measured) -> Figure:
    return Figure(
        name="answers.key.cost",
        about="… with an API key, processor time a request",
        value=measured.cost,
        unit="µs",
        better="less",
        limit=anonymous.cost,
        limit_about="the same without a key",
        target_ratio=_MOST_FOR_A_KEY,
    )


def _get(service: Subject, query: str) -> httpx2.Response:
    answer = httpx2.get(f"{service.url}{METRICS}?{query}", trust_env=False)
    answer.raise_for_status()
    return answer
