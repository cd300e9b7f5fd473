"""`headrace up`: the API, the writer and every embedded part in one process.

DuckDB lets one process in, so the server runs here too (docs/decisions/0001). SIGTERM and Ctrl-C
end it in order: no new requests, open ones answered, the stream stored, the parts closed.
"""

import asyncio
import os
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import uvloop
from rich.console import Console

from service import running
from service.app import create_app
from service.bootstrap import Service, open_service
from service.demo import feed_demo
from service.ending import ToldToEnd, opened, told_to_end
from service.server import Server, allow_many_connections, listening, tuned_interpreter, url_of
from service.settings import Settings
from service.telemetry import configure_logs, log
from service.tls import certificate_of
from service.traces import traced
from service.worker import work_and_carry

Afterwards = Callable[[Service, str], Awaitable[None]]


def run_up(settings: Settings) -> int:
    """Serve until told to stop; the exit code."""
    configure_logs(settings.log_format, settings.secrets, settings.log_level)
    with traced(settings.traces):
        return uvloop.run(_up(settings, _say_hello))


def run_demo(settings: Settings, original_times: bool) -> int:
    """Serve, and replay the recorded flights into it; the exit code."""

    async def feed(service: Service, url: str) -> None:
        key = await service.keys.create("demo", ["ingest", "read"])
        trust = running.trusted(settings.tls_cert)
        await feed_demo(url, key.text, original_times, Console(), trust)

    configure_logs(settings.log_format, settings.secrets, settings.log_level)
    with traced(settings.traces):
        return uvloop.run(_up(settings, feed))


async def _up(settings: Settings, afterwards: Afterwards) -> int:
    allow_many_connections()
    stop = told_to_end()
    certificate = certificate_of(settings)
    with listening(settings.host, settings.port, "API_HOST or API_PORT") as listener:
        try:
            async with (
                opened(open_service(settings), stop) as service,
                _noted(service),
                service.uploads.delivering(),
            ):
                server = Server(create_app(service), False, certificate, settings.hsts_seconds)
                with tuned_interpreter():
                    await _serve(service, server, listener, stop, afterwards)
        except ToldToEnd:
            log().info("service.told_to_end", before="it had started")
    log().info("service.ended")
    return 0


async def _serve(
    service: Service,
    server: Server,
    listener: socket.socket,
    stop: asyncio.Event,
    afterwards: Afterwards,
) -> None:
    """Run server and writer side by side; when one ends, the other is ended in good order."""
    stop_writing = asyncio.Event()
    serving = asyncio.create_task(server.serve([listener]), name="server")
    working = asyncio.create_task(work_and_carry(service, stop_writing), name="worker")
    stopping = asyncio.create_task(stop.wait())
    after = asyncio.create_task(_when_started(server, service, afterwards))
    flying = asyncio.create_task(service.canary.keep(), name="canary")
    try:
        await asyncio.wait({serving, working, stopping}, return_when=asyncio.FIRST_COMPLETED)
        after.cancel()
        flying.cancel()
        server.should_exit = True
        await serving
        stop_writing.set()
        await working
    finally:
        tasks = (serving, working, stopping, after, flying)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _when_started(server: Server, service: Service, afterwards: Afterwards) -> None:
    await server.listens.wait()
    await afterwards(service, _url(service.settings))


def _url(settings: Settings) -> str:
    return url_of(settings.host, settings.port, bool(settings.tls_cert))


async def _say_hello(service: Service, url: str) -> None:
    log().info("service.up", url=url, docs=f"{url}/docs", data=str(service.settings.data_dir))


@asynccontextmanager
async def _noted(service: Service) -> AsyncIterator[None]:
    """Leave word in the data directory where this service is reached, while it runs."""
    settings, pid = service.settings, os.getpid()
    there = running.Running(_url(settings), pid, service.operator_token, settings.certificate)
    settings.data_dir.mkdir(parents=True, exist_ok=True)
    running.write(settings.data_dir, there)
    try:
        yield
    finally:
        running.remove(settings.data_dir, pid)
