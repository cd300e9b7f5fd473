"""What every `Limits` promises: the one of a process alone, and the one that processes share."""

import asyncio
import signal
import sys
import time
from collections.abc import AsyncIterator
from pathlib import Path

import msgspec
import pytest
from redis.asyncio import Redis
from redis.exceptions import RedisError
from structlog.testing import capture_logs

from service.errors import RateLimited
from service.limits import Limit, Limits, LocalLimits
from service.shared.limits import SharedLimits
from service.telemetry import registry
from tests.contracts.takers import PATIENCE, passed
from tests.running import free_port
from tests.servers import Server, url_of_valkey

FIVE = Limit("five", 5, 60)
SHORT = Limit("short", 5, 0.3)
OFTEN = Limit("often", 250, 60)


def shared_by(valkey: Server) -> SharedLimits:
    return SharedLimits(url_of_valkey(valkey), b"secret", LocalLimits(), PATIENCE)


@pytest.fixture(params=["local", "shared"])
async def limits(request: pytest.FixtureRequest) -> AsyncIterator[Limits]:
    if request.param == "local":
        yield LocalLimits()
        return
    valkey: Server = request.getfixturevalue("valkey")
    await until_it_answers(valkey)
    opened = shared_by(valkey)
    yield opened
    await opened.close()


async def until_it_answers(valkey: Server) -> None:
    async with asyncio.timeout(10), Redis.from_url(url_of_valkey(valkey)) as client:
        while True:
            try:
                return await client.ping()
            except RedisError:
                await asyncio.sleep(0.02)


async def refusal(limits: Limits, limit: Limit = FIVE, of: str = "ada", cost: int = 1):
    with pytest.raises(RateLimited) as refused:
        await limits.take(limit, of, cost)
    return refused.value


async def test_so_many_pass_and_the_next_is_told_how_long_to_wait(limits):
    left = [(await limits.take(FIVE, "ada")).left for _ in range(5)]
    assert left == [4, 3, 2, 1, 0]
    refused = await refusal(limits)
    assert str(refused) == "at most 5 in 60 seconds"
    assert 0 < refused.retry_after <= 60


async def test_who_waits_as_long_as_he_was_told_passes(limits):
    await limits.take(SHORT, "ada", 5)
    await asyncio.sleep((await refusal(limits, SHORT, cost=2)).retry_after + 0.01)
    assert (await limits.take(SHORT, "ada")).left == 4


async def test_a_refused_use_does_not_count(limits):
    await limits.take(FIVE, "ada", 3)
    for _ in range(20):
        assert (await refusal(limits, cost=3)).left == 2
    assert (await limits.take(FIVE, "ada", 2)).left == 0


async def test_more_is_there_when_the_oldest_use_is_forgotten(limits):
    ten_seconds = Limit("five", 5, 10)
    first = await limits.take(ten_seconds, "ada")
    await asyncio.sleep(ten_seconds.part * 1.2)
    second = await limits.take(ten_seconds, "ada")
    assert 0 < second.more_in < first.more_in <= 10


async def test_callers_and_limits_are_counted_apart(limits):
    await limits.take(FIVE, "ada", 5)
    assert (await limits.take(FIVE, "bob")).left == 4
    assert (await limits.take(Limit("other", 5, 60), "ada")).left == 4
    await refusal(limits)


async def test_another_size_of_the_same_limit_goes_on_from_what_was_counted(limits):
    """As when a key gets another tier."""
    await limits.take(FIVE, "ada", 5)
    assert (await limits.take(Limit("five", 50, 60), "ada")).left == 44
    assert (await refusal(limits, Limit("five", 3, 60))).left == 0


async def test_of_many_at_once_exactly_the_limit_passes(limits):
    assert await passed(limits, OFTEN, 600) == OFTEN.times


async def test_of_many_at_once_in_two_processes_exactly_the_limit_passes(valkey):
    await until_it_answers(valkey)
    command = (sys.executable, "-m", "tests.contracts.takers", url_of_valkey(valkey))
    others = [
        await asyncio.create_subprocess_exec(
            *command, str(OFTEN.times), "200", stdout=asyncio.subprocess.PIPE, cwd=ROOT
        )
        for _ in range(2)
    ]
    limits = shared_by(valkey)
    here = await passed(limits, OFTEN, 200)
    await limits.close()
    there = [int((await other.communicate())[0]) for other in others]
    assert here + sum(there) == OFTEN.times


async def test_services_with_other_secrets_count_apart(valkey):
    await until_it_answers(valkey)
    ours = shared_by(valkey)
    theirs = SharedLimits(url_of_valkey(valkey), b"another", LocalLimits(), PATIENCE)
    await ours.take(FIVE, "ada", 5)
    assert (await theirs.take(FIVE, "ada")).left == 4
    await ours.close()
    await theirs.close()


@pytest.fixture
async def shared(valkey: Server) -> AsyncIterator[SharedLimits]:
    await until_it_answers(valkey)
    opened = SharedLimits(url_of_valkey(valkey), b"secret", LocalLimits())
    while await alone(opened):  # a slow machine's first answer may come late
        await asyncio.sleep(0.1)
    yield opened
    await opened.close()


async def alone(limits: Limits, limit: Limit = FIVE, of: str = "somebody") -> bool:
    """Whether this use was counted by this process alone."""
    before = counted_alone()
    try:
        await limits.take(Limit("many", 100_000, 60), of)
    finally:
        now = counted_alone()
    return now > before


def counted_alone() -> float:
    return registry.get_sample_value("headrace_limits_alone_total") or 0


async def test_what_is_kept_there_names_nobody_and_goes_by_itself(shared, valkey):
    await shared.take(FIVE, "ada@example.com")
    async with Redis.from_url(url_of_valkey(valkey)) as client:
        names = [name async for name in client.scan_iter("headrace:*:limit:*")]
        assert [await client.ttl(name) in range(61) for name in names] == [True, True]
        assert not [name for name in names if b"ada" in name or b"ada".hex().encode() in name]


async def test_what_is_kept_there_stays_small_however_often_somebody_calls(shared, valkey):
    lively, until = Limit("lively", 1_000_000, 0.5), time.monotonic() + 0.6
    while time.monotonic() < until:
        await asyncio.gather(*(shared.take(lively, "ada") for _ in range(16)))
    async with Redis.from_url(url_of_valkey(valkey)) as client:
        sizes = [await client.strlen(n) async for n in client.scan_iter("headrace:*:limit:*")]
    assert max(sizes) < 600


async def test_a_server_that_forgot_the_script_is_told_it_again(shared, valkey):
    async with Redis.from_url(url_of_valkey(valkey)) as client:
        await client.script_flush()
    assert not await alone(shared)


async def test_uses_that_lie_in_the_future_are_none(shared, valkey):
    """As after the server's clock was turned back."""
    later = int((time.time() + 3600) * 1e6)
    async with Redis.from_url(url_of_valkey(valkey)) as client:
        (name,) = [name async for name in client.scan_iter("headrace:*:limit:*")]
        await client.set(name, msgspec.msgpack.encode([later, later, 100_000]))
    assert not await alone(shared)


@pytest.mark.parametrize("harm", [signal.SIGKILL, signal.SIGSTOP])
async def test_while_the_server_is_away_a_process_counts_alone_and_says_so_once(
    harm, shared, valkey
):
    await shared.take(FIVE, "ada", 3)
    valkey.end(harm) if harm == signal.SIGKILL else valkey.send(harm)
    with capture_logs() as logs:
        assert (await shared.take(FIVE, "ada")).left == 1
        assert (await shared.take(FIVE, "ada")).left == 0
        await refusal(shared)
        valkey.start() if harm == signal.SIGKILL else valkey.send(signal.SIGCONT)
        async with asyncio.timeout(20):
            while await alone(shared):
                await asyncio.sleep(0.05)
    said = [entry["event"] for entry in logs if entry["event"].startswith("limits.")]
    assert said == ["limits.alone", "limits.together"]


@pytest.mark.parametrize(
    "nonsense",
    [b"$5\r\nhello\r\n" * 9, b"*2\r\n:1\r\n:1\r\n" * 9, b"-OOM no\r\n" * 9, b"\x00" * 64],
)
async def test_a_server_that_talks_nonsense_is_not_believed(nonsense):
    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while await reader.read(4096):
            writer.write(nonsense)
        writer.close()

    async with await asyncio.start_server(talk, "127.0.0.1", 0) as server:
        url = f"redis://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        limits = SharedLimits(url, b"secret", LocalLimits(), PATIENCE)
        assert await passed(limits, FIVE, 6) == 5
        await limits.close()


async def test_a_server_that_was_never_there_is_done_without():
    limits = SharedLimits(f"redis://127.0.0.1:{free_port()}", b"secret", LocalLimits())
    assert await passed(limits, FIVE, 6) == 5
    await limits.close()


ROOT = Path(__file__).parents[2]
