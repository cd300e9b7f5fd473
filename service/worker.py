"""The half of the service that writes: carries the stream into the store and keeps the rollups."""

import asyncio

from service.bootstrap import Service
from service.errors import HeadraceError
from service.telemetry import log

DRAIN_TIMEOUT = 15.0


async def work(service: Service, stop: asyncio.Event) -> None:
    """Write and roll up until `stop` is set, then store what the stream still holds.

    Raises StoreFenced when another writer works on the same store.
    """
    async with asyncio.TaskGroup() as tasks:
        writing = tasks.create_task(service.writer.run(), name="writer")
        rolling = tasks.create_task(service.rollup.keep(service.mark), name="rollup")
        await stop.wait()
        service.writer.stop()
        await writing
        rolling.cancel()
    await _drain(service)


async def _drain(service: Service) -> None:
    try:
        await asyncio.wait_for(service.writer.drain(), DRAIN_TIMEOUT)
    except (TimeoutError, HeadraceError, OSError) as error:
        log().warning("writer.not_drained", reason=str(error), advice="the next start goes on")
