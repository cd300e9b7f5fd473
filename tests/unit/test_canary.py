"""The service's own event: how old it is said to be, and when that is too old."""

import asyncio
from dataclasses import dataclass, field

import pyarrow as pa
import pytest

from service.canary import Canary
from service.ending import cancelled
from service.errors import IngestionUnavailable
from service.events import CANARY


@dataclass
class Road:
    """What comes in comes out, while it is `open`."""

    open: bool = True
    error: Exception | None = None
    sent: list[int] = field(default_factory=list)
    out: list[int] = field(default_factory=list)

    async def accept(self, tenant, records):
        assert tenant == CANARY
        if self.error:
            raise self.error
        self.sent.append(round(records[0].timestamp.timestamp() * 1000))

    async def fetch(self, *statements, timeout=None):
        if self.open:
            self.out = list(self.sent)
        return [pa.table({"latest": [max(self.out, default=None)]})]


async def until(said) -> None:
    async with asyncio.timeout(30):
        while not said():
            await asyncio.sleep(0.005)


async def flown(canary: Canary, said) -> None:
    """Keep it flying until something is so."""
    flying = asyncio.create_task(canary.keep())
    await until(said)
    await cancelled(flying)


async def test_what_comes_out_is_as_old_as_its_sending():
    road = Road()
    canary = Canary(road, road, 0.01, 60)
    await flown(canary, lambda: len(road.sent) > 3)
    assert canary.age is not None
    assert not canary.is_late()


@pytest.mark.parametrize("late", [0.05, 0])
async def test_nothing_that_comes_out_is_late_where_there_is_a_limit(late):
    road = Road(open=False)
    canary = Canary(road, road, 0.01, late)
    await flown(canary, lambda: (canary.age or 0) > 0.05 and len(road.sent) > 1)
    assert canary.is_late() == bool(late)


async def test_a_road_that_opens_again_makes_it_young():
    road = Road(open=False)
    canary = Canary(road, road, 0.01, 0.05)
    flying = asyncio.create_task(canary.keep())
    await until(canary.is_late)
    road.open = True
    await until(lambda: not canary.is_late())
    await cancelled(flying)


async def test_a_door_that_refuses_ends_no_canary():
    road = Road(error=IngestionUnavailable("full", 1.0))
    canary = Canary(road, road, 0.01, 0.05)
    flying = asyncio.create_task(canary.keep())
    await until(canary.is_late)
    road.error = None
    await until(lambda: not canary.is_late())
    await cancelled(flying)


async def test_none_is_sent_where_none_is_wanted():
    road = Road()
    canary = Canary(road, road, 0, 1)
    await canary.keep()
    assert (road.sent, canary.age, canary.is_late()) == ([], None, False)
