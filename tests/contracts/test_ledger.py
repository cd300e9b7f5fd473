"""What the ledger and the lease promise, on a real broker."""

import asyncio

import pytest

from service.errors import StoreFenced
from service.storage.ledger import Entry
from service.storage.protocol import Progress
from service.stream.jetstream import open_jetstream
from service.stream.lease import Lease
from service.stream.ledger import BUCKET, NatsLedger

SECONDS = 0.4


@pytest.fixture
async def bucket(stream):
    return await stream.bucket(BUCKET)


@pytest.fixture
async def other_bucket(broker):
    """The same bucket as another process sees it."""
    stream = await open_jetstream(broker.url, 1 << 28, 120)
    yield await stream.bucket(BUCKET)
    await stream.close()


def an_entry(sequence: int, writer: str = "w", done: bool = True) -> Entry:
    before, after = (Progress(1, "stream", n, f"m{n}", n) for n in (sequence - 1, sequence))
    return Entry(before, after, done, 3, b"\x00\xff", writer)


async def test_a_ledger_begins_empty_and_keeps_what_was_written(bucket, other_bucket):
    ledger = NatsLedger(bucket)
    assert await ledger.read("store") == (None, 0)
    revision = await ledger.write("store", an_entry(1), 0)
    assert await NatsLedger(other_bucket).read("store") == (an_entry(1), revision)
    assert await ledger.read("another") == (None, 0)


async def test_of_two_writers_one_alone_moves_the_ledger(bucket, other_bucket):
    revision = await NatsLedger(bucket).write("store", an_entry(1, "first"), 0)
    with pytest.raises(StoreFenced, match="first"):
        await NatsLedger(other_bucket).write("store", an_entry(1, "second"), 0)
    await NatsLedger(other_bucket).write("store", an_entry(2, "second"), revision)
    with pytest.raises(StoreFenced, match="second"):
        await NatsLedger(bucket).write("store", an_entry(2, "first"), revision)


async def test_a_write_that_was_kept_unheard_is_not_another_writer(bucket):
    ledger = NatsLedger(bucket)
    await ledger.write("store", an_entry(1), 0)
    with pytest.raises(ConnectionError, match="this writer"):
        await ledger.write("store", an_entry(1), 0)


async def test_a_ledger_outlives_its_broker(bucket, broker):
    ledger = NatsLedger(bucket)
    revision = await ledger.write("store", an_entry(1), 0)
    broker._process.kill()
    await asyncio.sleep(1)
    assert await ledger.read("store") == (an_entry(1), revision)


async def test_a_follower_hears_the_last_entry_and_each_that_comes(bucket, other_bucket):
    ledger, follower = NatsLedger(bucket), NatsLedger(other_bucket).follow("store")
    revision = await ledger.write("store", an_entry(1), 0)
    async with asyncio.timeout(0.3):  # less than it waits between looks
        assert await anext(follower) == an_entry(1)
        heard = asyncio.ensure_future(anext(follower))
        await asyncio.sleep(0.05)
        await ledger.write("store", an_entry(2), revision)
        assert await heard == an_entry(2)


def a_lease(bucket, holder) -> Lease:
    return Lease(bucket, "writer", holder, SECONDS)


async def has_it(lease, within) -> bool:
    try:
        await asyncio.wait_for(lease.wait(), within)
    except TimeoutError:
        return False
    return True


async def test_who_waits_for_a_lease_gets_it_when_it_is_no_longer_renewed(bucket, other_bucket):
    first, second = a_lease(bucket, "first"), a_lease(other_bucket, "second")
    await first.wait()
    keeping = asyncio.create_task(first.keep())
    assert not await has_it(second, SECONDS * 3)
    keeping.cancel()
    assert await has_it(second, SECONDS * 3)


async def test_a_lease_let_go_is_the_next_ones_at_once(bucket, other_bucket):
    first, second = a_lease(bucket, "first"), a_lease(other_bucket, "second")
    await first.wait()
    waiting = asyncio.create_task(has_it(second, SECONDS / 2))
    await asyncio.sleep(0.02)
    await first.release()
    assert await waiting


async def test_a_holder_that_slept_learns_that_it_lost_the_lease(bucket, other_bucket):
    first, second = a_lease(bucket, "first"), a_lease(other_bucket, "second")
    await first.wait()
    await second.wait()
    async with asyncio.timeout(SECONDS * 3):
        await first.keep()
    await first.release()
    assert (await other_bucket.get("writer"))[0] == b"second"


async def test_a_renewal_kept_unheard_does_not_lose_the_lease(bucket):
    lease = a_lease(bucket, "first")
    await lease.wait()
    _, revision = await bucket.get("writer")
    await bucket.put("writer", b"first", revision)
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(lease.keep(), SECONDS * 3)


async def test_a_holder_whom_the_broker_does_not_answer_gives_up(bucket, broker):
    lease = a_lease(bucket, "first")
    await lease.wait()
    await broker.stop()
    async with asyncio.timeout(SECONDS * 5):
        await lease.keep()
