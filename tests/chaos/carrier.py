"""A worker with real connectors, the event store in it, as a process: to be killed.

`python -m tests.chaos.carrier`, told its orders in JSON.
"""

import asyncio
import os
import sys
from dataclasses import replace
from pathlib import Path

import msgspec

from service.bootstrap import open_writing
from service.ending import told_to_end
from service.hints import Hints
from service.ingest import Ingest
from service.pipelines import engine
from service.pipelines.engine import Engine
from service.pipelines.model import Assignment
from service.pipelines.runner import Limits
from service.publisher import Publisher
from service.receipts import Receipts
from service.worker import work_and_carry
from tests.building import quick_settings
from tests.piping import LEASE_SECONDS, Board, parts_of

ALONE = "alone"
"""As the embedded service is called: after a crash it need not wait for itself."""
PATIENCE = 2.0


class Orders(msgspec.Struct, frozen=True):
    """What the worker carries, over which broker, with which room."""

    nats: str
    folder: str
    """Of the event store."""
    bus_bytes: int
    assignment: Assignment


async def carry(orders: Orders) -> None:
    """Carry the pipeline until told to end; then what it sent is stored."""
    stop = told_to_end()
    settings = quick_settings(
        data_dir=Path(orders.folder),
        nats_url=orders.nats,
        crash_at=os.environ.get("HEADRACE_CRASH_AT", ""),
    )
    async with open_writing(settings) as service:
        publisher = Publisher(service.stream, service.mark, Hints(), settings)
        around = {"allow_private": True, "patience": PATIENCE}
        ingest = Ingest(publisher, Receipts(b"of a test"), settings)
        board = Board(orders.assignment)
        parts = await parts_of(service.stream, board, ALONE, ingest=ingest, **around)
        limits = Limits(orders.bus_bytes, orders.bus_bytes, give_up=600.0)
        leases = await service.stream.bucket(engine.BUCKET)
        carries = Engine(replace(parts, limits=limits), leases, lease_seconds=LEASE_SECONDS)
        await work_and_carry(replace(service, engine=carries), stop)


if __name__ == "__main__":
    asyncio.run(carry(msgspec.json.decode(sys.argv[1], type=Orders)))
