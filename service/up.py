"""`headrace up`: the API, the writer and every embedded part in one process.

DuckDB lets one process in, so the server runs here too (docs/decisions/0001). SIGTERM and Ctrl-C
end it in order: no new requests, open ones answered, the stream stored, the parts closed.
"""

import asyncio
import contextlib
import gc
import os
import resource
import signal
import socket
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager

import uvicorn
import uvloop
from rich.console import Console

from service import running
from service.api.wire import HeadraceProtocol
from service.app import create_app
from service.bootstrap import Service, open_service
from service.demo import feed_demo
from service.errors import SettingsError
from service.settings import Settings
from service.telemetry import configure_logs, log
from service.worker import work

GRACE = 10
"""Seconds that open requests have at the end."""
_SWITCH_INTERVAL = 0.001

Afterwards = Callable[[Service, str], Awaitable[None]]


def run_up(settings: Settings) -> int:
    """Serve until told to stop; the exit code."""
    configure_logs(settings.log_format)
    return uvloop.run(_up(settings, _say_hello))


def run_demo(settings: Settings, original_times: bool) -> int:
    """Serve, and replay the recorded flights into it; the exit code."""

    async def feed(service: Service, url: str) -> None:
        key = await service.keys.create("demo", ["ingest", "read"])
        await feed_demo(url, key.text, original_times, Console())

    configure_logs(settings.log_format)
    return uvloop.run(_up(settings, feed))


async def _up(settings: Settings, afterwards: Afterwards) -> int:
    _allow_many_connections()
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    with _listening(settings) as listener:
        async with open_service(settings) as service, _noted(service):
            with _tuned_interpreter():
                await _serve(service, listener, stop, afterwards)
    log().info("service.ended")
    return 0


@contextmanager
def _tuned_interpreter() -> Iterator[None]:
    """Let threads take turns often, and look for cycles rarely.

    A thread that comes back from DuckDB waits up to a switch interval for the interpreter, a dozen
    times a question; at the usual 5 ms that is most of the answer's time under load. And at the
    usual thresholds a third of the time of decoding batches goes into looking for cycles.
    """
    interval, thresholds = sys.getswitchinterval(), gc.get_threshold()
    sys.setswitchinterval(_SWITCH_INTERVAL)
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 50)
    try:
        yield
    finally:
        sys.setswitchinterval(interval)
        gc.set_threshold(*thresholds)
        gc.unfreeze()  # DuckDB's binding takes what stays frozen for a leak, and says so at length


def _allow_many_connections() -> None:
    """Raise the soft limit of open files to the hard one: each connection is a file."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


async def _serve(
    service: Service, listener: socket.socket, stop: asyncio.Event, afterwards: Afterwards
) -> None:
    """Run server and writer side by side; when one ends, the other is ended in good order."""
    server = _Server(_configuration(service))
    stop_writing = asyncio.Event()
    serving = asyncio.create_task(server.serve([listener]), name="server")
    working = asyncio.create_task(work(service, stop_writing), name="worker")
    stopping = asyncio.create_task(stop.wait())
    after = asyncio.create_task(_when_started(server, service, afterwards))
    try:
        await asyncio.wait({serving, working, stopping}, return_when=asyncio.FIRST_COMPLETED)
        after.cancel()
        server.should_exit = True
        await serving
        stop_writing.set()
        await working
    finally:
        for task in (serving, working, stopping, after):
            task.cancel()
        await asyncio.gather(serving, working, stopping, after, return_exceptions=True)


async def _when_started(server: "_Server", service: Service, afterwards: Afterwards) -> None:
    await server.listens.wait()
    await afterwards(service, url_of(service.settings))


async def _say_hello(service: Service, url: str) -> None:
    log().info("service.up", url=url, docs=f"{url}/docs", data=str(service.settings.data_dir))


def url_of(settings: Settings) -> str:
    """Where this machine reaches the API."""
    host = {"0.0.0.0": "127.0.0.1", "::": "[::1]", "::1": "[::1]"}.get(settings.host, settings.host)  # noqa: S104
    return f"http://{host}:{settings.port}"


@contextmanager
def _listening(settings: Settings) -> Iterator[socket.socket]:
    """The listening socket, taken before anything else so that a taken port is told at once."""
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    try:
        listener = socket.create_server((settings.host, settings.port), family=family, backlog=2048)
    except OSError as error:
        raise SettingsError(
            f"cannot listen on {settings.host}:{settings.port}: {error.strerror}; "
            "set API_HOST or API_PORT"
        ) from error
    with listener:
        yield listener


@asynccontextmanager
async def _noted(service: Service) -> AsyncIterator[None]:
    """Leave word in the data directory where this service is reached, while it runs."""
    folder, pid = service.settings.data_dir, os.getpid()
    running.write(folder, running.Running(url_of(service.settings), pid, service.operator_token))
    try:
        yield
    finally:
        running.remove(folder, pid)


class _Server(uvicorn.Server):
    """Leaves the signals to us, because the writer ends after the server; says when it listens."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.listens = asyncio.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.listens.set()

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


def _configuration(service: Service) -> uvicorn.Config:
    return uvicorn.Config(
        create_app(service),
        http=HeadraceProtocol,
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        timeout_graceful_shutdown=GRACE,
        timeout_keep_alive=75,
    )
