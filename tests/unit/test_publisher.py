"""From rows to acknowledged messages: company, bounds, and callers who leave."""

import asyncio
import time

import pytest

from service.errors import IngestionUnavailable
from service.events import Rows, unpack
from service.hints import Hints
from service.publisher import FULL_MESSAGE, MOST_BEHIND, Publisher
from service.storage.mark import Mark
from service.storage.protocol import EPOCH_SHIFT, Progress
from service.stream.protocol import Receipt
from tests.building import TENANT, an_event, quick_settings


class Gate:
    """A stream that acknowledges once it is opened."""

    def __init__(self, is_open: bool = True):
        self.bodies, self.opened = [], asyncio.Event()
        if is_open:
            self.opened.set()

    async def publish(self, tenant, message_id, body, timeout, notes=None):
        await self.opened.wait()
        self.bodies.append(body)
        return Receipt(len(self.bodies), duplicate=False)

    def sizes(self):
        return [unpack(body).events.num_rows for body in self.bodies]


def publisher(stream, mark=None, clock=time.monotonic, **settings):
    return Publisher(stream, mark or Mark(), Hints(), quick_settings(**settings), clock)


def rows(*ids, **fields):
    return Rows.of([an_event(i, **fields) for i in ids])


async def at_once(publisher, *requests, tenant=TENANT):
    return await asyncio.gather(
        *(publisher.publish(tenant, r) for r in requests), return_exceptions=True
    )


async def test_small_requests_that_come_together_travel_as_one_message():
    stream = Gate()
    places = await at_once(publisher(stream), rows("a"), rows("b", "c"), rows("d"))
    assert stream.sizes() == [4]
    assert [(p.position, p.first, len(p.seen)) for p in places] == [(1, 0, 1), (1, 1, 2), (1, 3, 1)]


async def test_tenants_never_travel_together():
    stream, both = Gate(), [rows("a"), rows("a")]
    sending = publisher(stream)
    await asyncio.gather(*(sending.publish(t, r) for t, r in zip("xy", both, strict=True)))
    assert sorted(unpack(body).tenant for body in stream.bodies) == ["x", "y"]


async def test_a_full_message_does_not_wait():
    stream = Gate()
    many = rows(*(f"e{n}" for n in range(FULL_MESSAGE)))
    async with asyncio.timeout(5):
        await publisher(stream, coalesce_seconds=60.0).publish(TENANT, many)
    assert stream.sizes() == [FULL_MESSAGE]


async def test_company_leaves_when_the_message_before_it_is_acknowledged():
    stream = Gate(is_open=False)
    sending = publisher(stream, coalesce_seconds=60.0)
    full = rows(*(f"e{n}" for n in range(FULL_MESSAGE)))
    requests = asyncio.create_task(at_once(sending, full, rows("a"), rows("b")))
    await asyncio.sleep(0.01)
    stream.opened.set()
    async with asyncio.timeout(5):
        await requests
    assert stream.sizes() == [FULL_MESSAGE, 2]


async def test_large_requests_do_not_gather_into_a_message_too_large_for_the_stream():
    stream = Gate()
    large = [rows(f"e{n}", payload={"a": "x" * 700_000}) for n in range(4)]
    await at_once(publisher(stream), *large)
    assert stream.sizes() == [2, 2]


async def test_a_caller_who_leaves_takes_nothing_with_him():
    stream = Gate()
    sending = publisher(stream)
    leaving = asyncio.ensure_future(sending.publish(TENANT, rows("a")))
    staying = asyncio.ensure_future(sending.publish(TENANT, rows("b")))
    await asyncio.sleep(0)
    leaving.cancel()
    assert (await staying).first == 1
    assert stream.sizes() == [2]


async def test_what_waits_is_bounded_and_stays_counted_when_its_caller_leaves():
    stream = Gate(is_open=False)
    sending = publisher(stream, queue_bytes=rows("a").weight())
    leaving = asyncio.ensure_future(sending.publish(TENANT, rows("a")))
    await asyncio.sleep(0.01)
    leaving.cancel()
    [refused] = await at_once(sending, rows("b"))
    assert isinstance(refused, IngestionUnavailable)
    stream.opened.set()
    await asyncio.sleep(0.01)
    assert (await sending.publish(TENANT, rows("c"))).position == 2


async def test_one_request_larger_than_the_bound_passes_when_nothing_waits():
    assert (await publisher(Gate(), queue_bytes=1).publish(TENANT, rows("a"))).position == 1


async def test_a_failure_while_packing_is_told_to_all_and_forgotten():
    stream = Gate()
    sending = publisher(stream, queue_bytes=1)
    [failed] = await at_once(sending, rows("a\ud800"))
    assert isinstance(failed, UnicodeEncodeError)
    [place] = await at_once(sending, rows("b"))
    assert place.position == 1


async def test_a_place_is_in_the_epoch_that_the_store_reads():
    mark = Mark(Progress(epoch=3))
    place = await publisher(Gate(), mark).publish(TENANT, rows("a"))
    assert place.position == 3 << EPOCH_SHIFT | 1


async def test_the_message_id_is_of_tenant_and_body():
    ids = []

    class Named(Gate):
        async def publish(self, tenant, message_id, body, timeout, notes=None):
            ids.append(message_id)
            return await super().publish(tenant, message_id, body, timeout)

    sending = publisher(Named())
    for tenant, event in (("x", "a"), ("y", "a"), ("x", "b")):
        await sending.publish(tenant, rows(event))
    assert len(set(ids)) == 3


async def test_hints_are_of_what_was_acknowledged():
    sending = publisher(Gate())
    await sending.publish(TENANT, rows("a"))
    place = await sending.publish(TENANT, rows("a", "b"))
    assert place.seen.tolist() == [True, False]


class Waited(Mark):
    """Notes the positions that were waited for."""

    def __init__(self, progress):
        super().__init__(progress)
        self.positions = []

    async def wait(self, position, timeout):
        self.positions.append(position)
        return await super().wait(position, 0)


@pytest.mark.parametrize(
    ("behind", "waits"), [(0, []), (MOST_BEHIND, []), (MOST_BEHIND + 0.1, [1])]
)
async def test_an_answer_waits_for_a_store_that_is_far_behind_but_not_for_ever(behind, waits):
    stream, mark, times = Gate(), Waited(Progress(epoch=1)), [7.0, 7.0 + behind]
    sending = publisher(stream, mark, clock=lambda: times.pop(0))
    await sending.publish(TENANT, rows("a"))
    await sending.publish(TENANT, rows("b"))
    assert mark.positions == [1 << EPOCH_SHIFT | sequence for sequence in waits]


async def test_no_answer_waits_for_a_store_that_has_what_came_long_ago():
    stream, mark, times = Gate(), Waited(Progress(epoch=1)), [7.0, 8.0]
    sending = publisher(stream, mark, clock=lambda: times.pop(0))
    await sending.publish(TENANT, rows("a"))
    mark.advance(Progress(epoch=1, sequence=1))
    await sending.publish(TENANT, rows("b"))
    assert mark.positions == []
