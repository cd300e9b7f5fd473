"""`headrace serve`: API processes on one port, kept up by a supervisor that serves nothing itself.

The listening socket is the supervisor's, and every worker accepts from it: while one is replaced
the others, and the queue of the socket, take what comes. SIGHUP replaces the workers one by one: a
new one is ready before an old one leaves, and an old one goes on answering on its connections until
each has been told to close. SIGTERM ends all in good order; a worker that dies is replaced.
"""

import asyncio
import os
import signal
import socket
import sys
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager, suppress
from pathlib import Path
from shutil import rmtree

import uvloop

from service import running
from service.app import create_app
from service.bootstrap import Answering, open_answering, operator_token
from service.ending import ToldToEnd, cancelled, first_of, opened, told_to_end
from service.server import (
    GRACE,
    Server,
    allow_many_connections,
    listening,
    tuned_interpreter,
    url_of,
)
from service.settings import Settings, check_apart, passed_down
from service.telemetry import SHARED_FOLDER, configure_logs, forget_gauges, log
from service.tls import certificate_of
from service.traces import traced

LINGER = 5.0
"""Seconds that a worker which leaves waits for idle connections to ask once more."""
_READY = b"ready"
_END_SECONDS = LINGER + GRACE + 10
"""After which a worker that was told to end is killed."""
_LONGEST_PAUSE = 10.0


def run_serve(settings: Settings, workers: int) -> int:
    """Keep this many API processes up until told to stop; the exit code."""
    check_apart(settings, "serve")
    configure_logs(settings.log_format, settings.secrets, settings.log_level)
    return asyncio.run(_supervise(settings, workers))


def run_api_worker(settings: Settings, listener: int, tie: int) -> int:
    """Serve on the supervisor's open socket, while its end of the tie is open; the exit code."""
    check_apart(settings, "serve")
    configure_logs(settings.log_format, settings.secrets, settings.log_level)
    with (
        socket.socket(fileno=listener) as shared,
        socket.socket(fileno=tie) as tied,
        traced(settings.traces),
    ):
        return uvloop.run(_work(settings, shared, tied))


async def _supervise(settings: Settings, workers: int) -> int:
    certificate_of(settings)  # one that will not do is refused here, before any worker is
    stop, renew = told_to_end(), asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGHUP, renew.set)
    with (
        listening(settings.host, settings.port, "API_HOST or API_PORT") as listener,
        _emptied(settings.data_dir / f"telemetry-{settings.port}") as series,
    ):
        environment = passed_down(**{SHARED_FOLDER: str(series)})
        slots = [_Slot(listener, environment) for _ in range(workers)]
        async with _kept(slots), _noted(settings):
            await first_of(stop.wait(), _all_started(slots))
            if failed := [slot.failed for slot in slots if slot.failed is not None]:
                log().error("serve.not_started", exited=failed[0])
                return failed[0] or 1
            if not stop.is_set():
                log().info("service.up", url=_url(settings), workers=workers)
            while not stop.is_set():
                await first_of(stop.wait(), renew.wait())
                if renew.is_set():
                    renew.clear()
                    await first_of(stop.wait(), _renew(slots))
    log().info("service.ended")
    return 0


@contextmanager
def _emptied(folder: Path) -> Iterator[Path]:
    """A folder for the time of the block, without what a killed process left in it."""
    rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    try:
        yield folder
    finally:
        rmtree(folder, ignore_errors=True)


async def _all_started(slots: Sequence["_Slot"]) -> None:
    await asyncio.gather(*(slot.settled.wait() for slot in slots))


async def _renew(slots: Sequence["_Slot"]) -> None:
    """Replace the workers one by one; where a new one does not start, those from before go on."""
    log().info("serve.renewing")
    for slot in slots:
        if not await slot.replace():
            log().error("serve.not_renewed", advice="the workers from before go on")
            return
    log().info("serve.renewed")


@asynccontextmanager
async def _kept(slots: Sequence["_Slot"]) -> AsyncIterator[None]:
    """Keep the slots filled for the time of the block; empty them at its end."""
    keeping = [asyncio.create_task(slot.keep()) for slot in slots]
    try:
        yield
    finally:
        for task in keeping:
            task.cancel()
        await asyncio.gather(*keeping, return_exceptions=True)
        await asyncio.gather(*(slot.end() for slot in slots))


def _url(settings: Settings) -> str:
    return url_of(settings.host, settings.port, bool(settings.tls_cert))


@asynccontextmanager
async def _noted(settings: Settings) -> AsyncIterator[None]:
    """Leave word in the data directory where the service is reached, while it runs."""
    folder, pid = settings.data_dir, os.getpid()
    token = operator_token(settings.secret_key.encode())
    folder.mkdir(parents=True, exist_ok=True)
    running.write(folder, running.Running(_url(settings), pid, token, settings.certificate))
    try:
        yield
    finally:
        running.remove(folder, pid)


class _Slot:
    """A place for one worker, which is filled again when it dies."""

    def __init__(self, listener: socket.socket, environment: Mapping[str, str]) -> None:
        self._listener = listener
        self._environment = environment
        self._worker: _Worker | None = None
        self._alive: set[_Worker] = set()
        """The one in the place, one that comes into it, and one that leaves it."""
        self.settled = asyncio.Event()
        """Set once the first worker is ready, or has failed."""
        self.failed: int | None = None
        """The exit code of a first worker that never was ready."""

    async def keep(self) -> None:
        pause = 0.1
        while True:
            worker = self._worker = await self._spawn()
            if await worker.is_ready():
                pause = 0.1
            elif not self.settled.is_set():
                self.failed = await worker.ended()
            self.settled.set()
            code = await self._end_of(worker)
            log().error("serve.worker_died", exited=code, again_in_seconds=pause)
            await asyncio.sleep(pause)
            pause = min(pause * 2, _LONGEST_PAUSE)

    async def _end_of(self, worker: "_Worker") -> int:
        """The exit code of whichever worker is in the place, once it is dead there."""
        while True:
            code = await worker.ended()
            self._alive.discard(worker)
            if self._worker is None or self._worker is worker:
                return code
            worker = self._worker

    async def replace(self) -> bool:
        """Put a new worker in the place of the one there; False when the new one did not start."""
        worker = await self._spawn()
        if not await worker.is_ready():
            self._alive.discard(worker)
            return False
        former, self._worker = self._worker, worker
        if former:
            await former.end(signal.SIGHUP)
            self._alive.discard(former)
        return True

    async def end(self) -> None:
        await asyncio.gather(*(worker.end(signal.SIGTERM) for worker in self._alive))

    async def _spawn(self) -> "_Worker":
        worker = await _Worker.spawn(self._listener, self._environment)
        self._alive.add(worker)
        return worker


class _Worker:
    """A process that serves. It ends when its supervisor's end of the tie is gone."""

    def __init__(
        self,
        process: asyncio.subprocess.Process,
        tie: tuple[asyncio.StreamReader, asyncio.StreamWriter],
        series: str,
    ) -> None:
        """`series` is the folder in which it counts."""
        self._process = process
        self._series = series
        self._tie, self._end_of_tie = tie

    @classmethod
    async def spawn(cls, listener: socket.socket, environment: Mapping[str, str]) -> "_Worker":
        ours, theirs = socket.socketpair()
        tie = await asyncio.open_connection(sock=ours)
        with theirs:
            given = (listener.fileno(), theirs.fileno())
            process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-P", "-m", "service.cli", "serve"),
                *("--listener", str(given[0]), "--tie", str(given[1])),
                pass_fds=given,
                env=environment,
                stdin=asyncio.subprocess.DEVNULL,
                start_new_session=True,  # Ctrl-C is the supervisor's
            )
        return cls(process, tie, environment[SHARED_FOLDER])

    async def is_ready(self) -> bool:
        """Wait until it serves; False when it ended before."""
        try:
            await self._tie.readexactly(len(_READY))
        except (asyncio.IncompleteReadError, ConnectionError):
            return False
        return True

    async def ended(self) -> int:
        """Its exit code, once it has ended."""
        code = await self._process.wait()
        self._end_of_tie.close()
        forget_gauges(self._series, self._process.pid)
        return code

    async def end(self, number: int) -> None:
        """Tell it to end, and wait; it is killed when it does not."""
        with suppress(ProcessLookupError):
            self._process.send_signal(number)
        try:
            await asyncio.wait_for(self.ended(), _END_SECONDS)
        except TimeoutError:
            log().error("serve.worker_killed", pid=self._process.pid)
            self._process.kill()
            await self.ended()


async def _work(settings: Settings, listener: socket.socket, tied: socket.socket) -> int:
    allow_many_connections()
    stop, leave = told_to_end(), asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGHUP, leave.set)
    reader, writer = await asyncio.open_connection(sock=tied)
    watching = asyncio.create_task(_end_with_supervisor(reader, stop))
    try:
        async with (
            opened(open_answering(settings), stop) as service,
            service.uploads.delivering(),
        ):
            with tuned_interpreter():
                await _serve(service, listener, writer, stop, leave)
    except ToldToEnd:
        pass
    finally:
        watching.cancel()
        writer.close()
    return 0


async def _end_with_supervisor(tie: asyncio.StreamReader, stop: asyncio.Event) -> None:
    await tie.read()
    stop.set()


async def _serve(
    service: Answering,
    listener: socket.socket,
    tie: asyncio.StreamWriter,
    stop: asyncio.Event,
    leave: asyncio.Event,
) -> None:
    settings = service.settings
    certificate = certificate_of(settings)
    server = Server(create_app(service), True, certificate, settings.hsts_seconds)
    serving = asyncio.create_task(server.serve([listener]), name="server")
    await first_of(server.listens.wait(), asyncio.shield(serving))
    tie.write(_READY)
    flying = asyncio.create_task(service.canary.keep(), name="canary")
    await first_of(stop.wait(), leave.wait(), asyncio.shield(serving))
    await cancelled(flying)
    server.linger = 0.0 if stop.is_set() else LINGER
    server.should_exit = True
    await serving
