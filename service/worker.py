"""The half of the service that writes: carries the stream into the store and keeps the rollups."""

import asyncio
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager

import uvloop

from service import running
from service.app import create_worker_app
from service.bootstrap import Turns, Writing, open_writing
from service.ending import ToldToEnd, cancelled, first_of, opened, told_to_end
from service.errors import HeadraceError, StoreFenced
from service.server import Server, listening, tuned_interpreter, url_of
from service.settings import Settings, check_apart
from service.telemetry import configure_logs, log, writer_active
from service.traces import traced
from service.writer import Writer

DRAIN_TIMEOUT = 15.0


async def work_and_carry(service: Writing, stop: asyncio.Event) -> None:
    """Write, and carry pipelines, until `stop` is set; what these still send is written too."""
    carried = asyncio.Event()
    carrying = asyncio.create_task(service.engine.run(stop), name="pipelines")
    writing = asyncio.create_task(work(service, carried), name="writing")
    try:
        await asyncio.wait({carrying, writing}, return_when=asyncio.FIRST_COMPLETED)
        carried.set()
        await writing
    finally:
        stop.set()
        await asyncio.wait([carrying], timeout=DRAIN_TIMEOUT)
        await cancelled(carrying, writing)


async def work(service: Writing, stop: asyncio.Event) -> None:
    """Write until `stop` is set: alone on the store, or whenever it is this process's turn.

    Raises StoreFenced when another writer works on a store that was taken to be ours alone.
    """
    if service.writer:
        await _work_alone(service, service.writer, stop)
    elif service.turns:
        await _take_turns(service.turns, stop)


async def _work_alone(service: Writing, writer: Writer, stop: asyncio.Event) -> None:
    """Write, roll up and delete what expires; at the end store what the stream still holds."""
    writer_active.set(1)
    async with asyncio.TaskGroup() as tasks:
        writing = tasks.create_task(writer.run(), name="writer")
        rolling = tasks.create_task(service.rollup.keep(service.mark), name="rollup")
        expiring = tasks.create_task(service.retention.keep(), name="retention")
        forgetting = tasks.create_task(service.audit.keep(), name="audit")
        await stop.wait()
        writer.stop()
        await writing
        rolling.cancel()
        expiring.cancel()
        forgetting.cancel()
    await _drain(writer)


async def _drain(writer: Writer) -> None:
    try:
        await asyncio.wait_for(writer.drain(), DRAIN_TIMEOUT)
    except (TimeoutError, HeadraceError, OSError) as error:
        log().warning("writer.not_drained", reason=str(error), advice="the next start goes on")


async def _take_turns(turns: Turns, stop: asyncio.Event) -> None:
    """Wait for the lease, write while it is ours, and wait again when it is lost.

    What the stream still holds at the end is left to the next one, which need not wait.
    """
    log().info("worker.standby")
    while writer := await _writer_when_ours(turns, stop):
        log().info("worker.active")
        writer_active.set(1)
        try:
            await _write_while_ours(writer, turns, stop)
        except StoreFenced as error:
            log().warning("worker.fenced", reason=str(error))
        finally:
            writer_active.set(0)
            await turns.lease.release()


async def _write_while_ours(writer: Writer, turns: Turns, stop: asyncio.Event) -> None:
    writing = asyncio.create_task(writer.run(), name="writer")
    keeping = asyncio.create_task(turns.lease.keep(), name="lease")
    expiring, forgetting = turns.retention.keep(), turns.audit.keep()
    writes, keeps = asyncio.shield(writing), asyncio.shield(keeping)
    try:
        await first_of(writes, keeps, expiring, forgetting, stop.wait())
        if not keeping.done():
            writer.stop()
            await writing  # the group under way; what is left is for the next one
    finally:
        await cancelled(writing, keeping)


async def _writer_when_ours(turns: Turns, stop: asyncio.Event) -> Writer | None:
    """A writer, kept warm until the lease is ours; None when `stop` comes first."""
    if stop.is_set():
        return None
    writer, ours = turns.new_writer(), asyncio.Event()
    turn = asyncio.create_task(turns.lease.wait(), name="lease")
    warming = asyncio.create_task(writer.keep_warm(ours), name="standby")
    try:
        await first_of(asyncio.shield(turn), stop.wait())
        if not turn.done():
            return None
        ours.set()
        await warming  # not cancelled: what it began to remember is whole before it is built upon
        return writer
    finally:
        await cancelled(turn, warming)


def run_work(settings: Settings) -> int:
    """Write, by turns with other processes, until told to stop; the exit code."""
    check_apart(settings, "work")
    configure_logs(settings.log_format, settings.secrets, settings.log_level)
    with traced(settings.traces):
        return uvloop.run(_work(settings))


async def _work(settings: Settings) -> int:
    stop = told_to_end()
    host, port = settings.host, settings.metrics_port
    with listening(host, port, "METRICS_PORT") as listener:
        try:
            async with opened(open_writing(settings), stop) as service:
                with tuned_interpreter(), _noted(settings):
                    await _work_and_tell(service, listener, stop)
        except ToldToEnd:
            pass
    log().info("worker.ended")
    return 0


async def _work_and_tell(service: Writing, listener: socket.socket, stop: asyncio.Event) -> None:
    """Work, and answer for the process's health meanwhile."""
    server = Server(create_worker_app(service))
    telling = asyncio.create_task(server.serve([listener]), name="server")
    try:
        await work_and_carry(service, stop)
    finally:
        server.should_exit = True
        await telling


@contextmanager
def _noted(settings: Settings) -> Iterator[None]:
    """Leave word in the data directory where this worker is reached, while it runs."""
    folder, pid = settings.data_dir, os.getpid()
    folder.mkdir(parents=True, exist_ok=True)
    there = running.Running(url_of(settings.host, settings.metrics_port), pid, "")
    running.write(folder, there, running.WORKER)
    try:
        yield
    finally:
        running.remove(folder, pid, running.WORKER)
