"""The memory that processes share, on a real Valkey: what it keeps, and how it fails open."""

import asyncio
import random
import signal
from collections.abc import AsyncIterator

import numpy as np
import pytest
from redis.asyncio import Redis

from service.shared import redis as shared_redis
from service.shared.redis import SharedRedis
from tests.running import free_port
from tests.servers import Server, url_of_valkey


@pytest.fixture
async def shared(valkey: Server) -> AsyncIterator[SharedRedis]:
    opened = SharedRedis(url_of_valkey(valkey), b"secret")
    await until_it_answers(opened)
    yield opened
    await opened.close()


async def until_it_answers(shared: SharedRedis) -> None:
    async with asyncio.timeout(10):
        while True:
            try:
                return await shared.ping()
            except ConnectionError:
                await asyncio.sleep(0.02)


def ids(*numbers: int) -> np.ndarray:
    return np.array(numbers, np.uint64)


async def test_what_was_put_is_found_with_the_time_it_stays(shared):
    assert await shared.get(b"key") is None
    await shared.put(b"key", b"text", 10)
    kept = await shared.get(b"key")
    assert kept.text == b"text"
    assert 9 < kept.left <= 10


async def test_what_was_put_is_gone_after_its_time(shared):
    await shared.put(b"key", b"text", 0.05)
    await asyncio.sleep(0.1)
    assert await shared.get(b"key") is None


async def test_one_claims_and_the_others_do_not_until_it_lets_go(shared, valkey):
    other = SharedRedis(url_of_valkey(valkey), b"secret")
    assert await shared.claim(b"key", 10)
    assert not await other.claim(b"key", 10)
    await other.release(b"key")
    assert not await other.claim(b"key", 10)
    await shared.release(b"key")
    assert await other.claim(b"key", 10)
    await other.close()


async def test_ids_that_any_process_recorded_are_seen_by_all(shared, valkey):
    other = SharedRedis(url_of_valkey(valkey), b"secret")
    await shared.record(ids(1, 2**64 - 1))
    assert (await other.seen(ids(0, 1, 2**64 - 1))).tolist() == [False, True, True]
    assert (await other.seen(ids())).tolist() == []
    await other.close()


async def test_ids_are_remembered_in_two_sets_so_that_they_stay_bounded(shared, monkeypatch):
    monkeypatch.setattr(shared_redis, "REMEMBERED", 2)
    await shared.record(ids(1, 2, 3))
    await shared.record(ids(4, 5, 6))
    assert (await shared.seen(ids(1, 4))).tolist() == [False, True]


async def test_services_with_other_secrets_share_nothing(shared, valkey):
    stranger = SharedRedis(url_of_valkey(valkey), b"another")
    await shared.put(b"key", b"text", 10)
    await shared.record(ids(7))
    assert await stranger.get(b"key") is None
    assert (await stranger.seen(ids(7))).tolist() == [False]
    await stranger.close()


async def test_a_text_put_there_by_a_stranger_is_not_found(shared, valkey):
    await shared.put(b"one", b"text of one", 10)
    await shared.put(b"two", b"text of two", 10)
    client = Redis.from_url(url_of_valkey(valkey))
    one, two = sorted([k async for k in client.scan_iter("headrace:*answer*")])
    await client.set(one, await client.get(two), px=10_000)
    await client.aclose()
    found = [await shared.get(key) for key in (b"one", b"two")]
    assert [kept and kept.text for kept in found].count(None) == 1


async def test_a_cancelled_call_never_leaves_its_answer_to_another(shared):
    for n in range(50):
        await shared.put(b"%d" % n, b"text of %d" % n, 60)
    dice = random.Random(1)

    async def ask(n: int) -> None:
        kept = await shared.get(b"%d" % n)
        assert kept is None or kept.text == b"text of %d" % n

    for _ in range(40):
        tasks = [asyncio.create_task(ask(dice.randrange(50))) for _ in range(20)]
        await asyncio.sleep(dice.random() * 0.002)
        for task in dice.sample(tasks, 10):
            task.cancel()
        done = await asyncio.gather(*tasks, return_exceptions=True)
        assert all(r is None or isinstance(r, asyncio.CancelledError) for r in done)
    while (kept := await shared.get(b"7")) is None:  # a slow machine's answer came too late
        await asyncio.sleep(0.1)
    assert kept.text == b"text of 7"


async def hurry(shared: SharedRedis) -> None:
    """Everything is answered as if nothing were there, and nothing waits for an answer."""
    async with asyncio.timeout(10):
        await shared.put(b"key", b"text", 10)
        assert await shared.get(b"key") is None
        assert await shared.claim(b"key", 10)
        await shared.record(ids(7))
        assert (await shared.seen(ids(7))).tolist() == [False]
    with pytest.raises(ConnectionError):
        await shared.ping()


async def test_a_server_that_was_never_there_is_done_without():
    shared = SharedRedis(f"redis://127.0.0.1:{free_port()}", b"secret")
    await hurry(shared)
    await shared.close()


@pytest.mark.parametrize("harm", [signal.SIGKILL, signal.SIGSTOP])
async def test_a_server_that_dies_or_hangs_is_done_without_and_is_used_again(harm, shared, valkey):
    await shared.put(b"before", b"text", 60)
    valkey.end(harm) if harm == signal.SIGKILL else valkey.send(harm)
    await hurry(shared)
    valkey.start() if harm == signal.SIGKILL else valkey.send(signal.SIGCONT)
    async with asyncio.timeout(10):
        while await shared.get(b"key") is None:
            await shared.put(b"key", b"text", 10)
            await asyncio.sleep(0.05)


@pytest.mark.parametrize(
    "nonsense",
    [
        b"HTTP/1.1 200 OK\r\n\r\n",
        b"$5\r\nhello\r\n" * 9,
        b"*-1\r\n" * 9,
        b":7\r\n" * 9,
        b"\x00" * 64,
    ],
)
async def test_a_server_that_talks_nonsense_is_not_believed(nonsense):
    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while await reader.read(4096):
            writer.write(nonsense)
        writer.close()

    async with await asyncio.start_server(talk, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        shared = SharedRedis(f"redis://127.0.0.1:{port}", b"secret")
        async with asyncio.timeout(10):
            await shared.put(b"key", b"text", 10)
            assert await shared.get(b"key") is None
            assert not (await shared.seen(ids(7))).any()
        await shared.close()
