"""Records that are posted to a pipeline: onto its bus, before the poster is answered."""

import asyncio
import hashlib
from collections.abc import Mapping, Sequence
from typing import Any

from service.database import Database
from service.errors import Conflict, IngestionUnavailable, NotFound
from service.pipelines.bus import Broker, Bus, Frame, open_bus
from service.pipelines.control.receiving import source_within
from service.pipelines.model import SourceMessage
from service.stream.journal import JournalFull

KIND = "HTTP_SOURCE"
_TAKES = ("building", "live", "paused")
"""States in which a pipeline takes records; a paused one keeps them until it goes on."""


class Pushing:
    """Takes records for pipelines whose source is `HTTP_SOURCE`."""

    def __init__(self, database: Database, broker: Broker, bus_bytes: int) -> None:
        self._database = database
        self._broker = broker
        self._bus_bytes = bus_bytes
        self._buses: dict[str, Bus] = {}
        self._opening = asyncio.Lock()

    async def push(
        self,
        tenant: str,
        pipeline_id: str,
        records: Sequence[Mapping[str, Any]],
        idempotency_key: str | None = None,
    ) -> int:
        """Put the records on the bus, in their order; where they stand there. The same key within
        an hour is taken for the same records.

        Raises NotFound, Conflict when the pipeline takes none, TooLarge, AccountsUnavailable, and
        IngestionUnavailable when the bus is full or does not answer: to be sent again.
        """
        await self._check(tenant, pipeline_id)
        name = hashlib.sha256(idempotency_key.encode()).hexdigest() if idempotency_key else ""
        frame = Frame([SourceMessage(record) for record in records])
        try:
            bus = await self._bus(pipeline_id)
            return await bus.put(frame, None, name)
        except JournalFull as error:
            raise IngestionUnavailable("the pipeline's bus is full", 5.0) from error
        except ConnectionError as error:
            self._buses.pop(pipeline_id, None)
            raise IngestionUnavailable(f"the bus does not answer: {error}") from error

    async def _check(self, tenant: str, pipeline_id: str) -> None:
        found = await source_within(self._database, tenant, pipeline_id)
        if found is None:
            raise NotFound("there is no such pipeline")
        if found.type != KIND:
            raise Conflict(f"its source is {found.type}: it takes no posted records")
        if found.state not in _TAKES:
            raise Conflict(f"its state is {found.state}: start it first")

    async def _bus(self, pipeline_id: str) -> Bus:
        async with self._opening:
            if pipeline_id not in self._buses:
                opened = await open_bus(self._broker, pipeline_id, self._bus_bytes)
                self._buses[pipeline_id] = opened
            return self._buses[pipeline_id]
