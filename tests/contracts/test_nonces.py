"""What a memory of nonces must do: in this process, and on a real Valkey."""

import asyncio
import os
import signal
import time
from collections.abc import AsyncIterator

import pytest

from service.errors import SigningUnavailable
from service.shared.nonces import MARGIN, LocalNonces, Nonces, NoNonces
from service.shared.redis_nonces import SharedNonces
from tests.servers import Server, a_valkey, url_of_valkey


async def in_valkey(server: Server, secret: bytes = b"secret") -> SharedNonces:
    """The memory in a server that answers, and that remembers from now on."""
    opened = SharedNonces(url_of_valkey(server), secret)
    while await is_silent(opened):
        await asyncio.sleep(0.02)
    assert await is_used(opened, os.urandom(8)) is False
    return opened


async def is_silent(opened: SharedNonces) -> bool:
    try:
        await opened.ping()
    except ConnectionError:
        return True
    return False


@pytest.fixture(params=["local", "valkey"])
async def nonces(request: pytest.FixtureRequest) -> AsyncIterator[Nonces]:
    if request.param == "local":
        yield LocalNonces()
        return
    with a_valkey() as server:
        opened = await in_valkey(server)
        yield opened
        await opened.close()


async def is_used(nonces: Nonces, nonce: bytes, ago: int = 0, keep: int = 300) -> bool | None:
    """Whether it was used before; None when nobody can say."""
    signed_at = int(time.time()) - ago
    try:
        return not await nonces.use(nonce, signed_at, signed_at + keep)
    except SigningUnavailable:
        return None


async def test_a_nonce_is_good_once(nonces):
    signed_at = int(time.time())
    used = [await nonces.use(n, signed_at, signed_at + 300) for n in (b"one", b"two", b"one")]
    assert used == [True, True, False]


async def test_of_many_at_once_one_is_the_first(nonces):
    signed_at = int(time.time())
    used = await asyncio.gather(*(nonces.use(b"one", signed_at, signed_at) for _ in range(20)))
    assert used.count(True) == 1


async def test_nobody_can_say_of_what_was_signed_before_the_memory_began(nonces):
    assert await is_used(nonces, b"old", ago=3600) is None


async def test_a_nonce_is_remembered_past_its_time():
    clock = time.time()
    nonces = LocalNonces(clock=lambda: clock)
    until = int(clock) + 300
    assert await nonces.use(b"one", int(clock), until)
    clock = float(until + MARGIN)
    assert not await nonces.use(b"one", until, until)


async def test_memory_is_bounded_and_room_comes_with_time():
    clock = time.time()
    nonces = LocalNonces(most_kept=100, clock=lambda: clock)
    used = [await is_used(nonces, b"%d" % n, keep=10) for n in range(101)]
    assert used == [False] * 100 + [None]
    clock += 10 + MARGIN + 2
    assert await is_used(nonces, b"new", ago=-(10 + MARGIN + 2)) is False
    assert (len(nonces._used), nonces._kept) == (1, 1)


async def test_processes_that_share_nothing_cannot_say():
    assert await is_used(NoNonces(), b"one") is None


async def test_processes_share_what_was_used(valkey):
    one, other = await in_valkey(valkey), await in_valkey(valkey)
    assert [await is_used(each, b"one") for each in (one, other)] == [False, True]
    await one.close()
    await other.close()


async def test_services_with_other_secrets_do_not_meet(valkey):
    one, other = await in_valkey(valkey), await in_valkey(valkey, b"another")
    assert [await is_used(each, b"one") for each in (one, other)] == [False, False]
    await one.close()
    await other.close()


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGSTOP])
async def test_nobody_can_say_while_the_server_is_away(valkey, how):
    nonces = await in_valkey(valkey)
    valkey.send(how)
    for nonce in (b"one", b"one", b"two"):
        assert await is_used(nonces, nonce) is None
    valkey.send(signal.SIGCONT)
    await nonces.close()


async def test_a_server_that_lost_its_memory_does_not_take_what_was_signed_before(valkey):
    nonces = await in_valkey(valkey)
    assert await is_used(nonces, b"one") is False
    signed_at = int(time.time())
    await nonces._line._redis.flushall()
    await asyncio.sleep(1.1)
    with pytest.raises(SigningUnavailable):
        await nonces.use(b"one", signed_at, signed_at + 300)
    assert await is_used(nonces, b"two") is False
    await nonces.close()
