"""The Python client through a network that loses answers, and through deaths of its process."""

import asyncio
import random
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from headrace import Client, ClientOptions, Producer, ProducerOptions, Query, Tally
from tests.chaos.putting import an_event
from tests.chaos.unkind import Unkind, unkind
from tests.running import RunningService

ROUNDS = 4


async def counted(url: str, key: str) -> Counter[str]:
    """How often each event is counted."""
    found: Counter[str] = Counter()
    asked = Query(metrics=["events"], dimensions=["eventId"], range="1h", limit=1000)
    async with Client(url, key) as client:
        async for page in client.pages(asked):
            found.update({r.dimensions["eventId"]: r.metrics["events"] for r in page.rows})
    return found


async def put_through(proxy: Unkind, key: str, count: int, **options: Any) -> Tally:
    async with (
        Client(proxy.url, key, ClientOptions(timeout=10)) as client,
        Producer(client, ProducerOptions(closing=60, **options)) as producer,
    ):
        for number in range(count):
            await producer.put(an_event(f"e{number}"))
        return await producer.flush()


async def test_a_network_that_loses_answers_makes_no_event_count_twice_or_never(
    new_service: Any, dice: random.Random
):
    service = await asyncio.to_thread(new_service().start)
    async with unkind(service.port, dice) as proxy:
        tally = await put_through(proxy, service.api_key, 1000, batch=20, linger=0)
    async with Client(service.base_url, service.api_key) as client:
        await client.counted(tally.receipts)
    assert await counted(service.base_url, service.api_key) == {f"e{n}": 1 for n in range(1000)}
    assert tally.accepted + tally.duplicates == 1000
    assert proxy.done["lose the answer"], "no answer was lost: this run proves nothing"


@pytest.mark.parametrize("fsync", ["always", "never"])
async def test_what_was_put_into_a_spool_is_counted_once_over_kills_of_the_process(
    fsync: str, new_service: Any, tmp_path: Path, dice: random.Random
):
    service, spool = await asyncio.to_thread(new_service().start), tmp_path / "spool"
    put: set[str] = set()
    async with unkind(service.port, dice) as proxy:
        for number in range(ROUNDS):
            killed = put_until_killed, service, proxy.url, spool, f"{fsync}{number}", fsync, dice
            put |= await asyncio.to_thread(*killed)
        assert list_of(spool), "nothing was left behind: this run proves nothing"
        tally = await put_through(proxy, service.api_key, 1, spool=spool)
    async with Client(service.base_url, service.api_key) as client:
        await client.counted(tally.receipts)
    found = await counted(service.base_url, service.api_key)
    assert (put - found.keys(), {e for e, times in found.items() if times != 1}) == (set(), set())
    assert len(found) - len(put) <= ROUNDS + 1
    assert list_of(spool) == []


def put_until_killed(
    service: RunningService, url: str, spool: Path, name: str, fsync: str, dice: random.Random
) -> set[str]:
    """What the process said that it had put before it was killed."""
    words = [sys.executable, "-m", "tests.chaos.putting", url, service.api_key, str(spool), name]
    with subprocess.Popen([*words, fsync], stdout=subprocess.PIPE) as process:
        assert process.stdout
        first = process.stdout.readline()
        time.sleep(dice.uniform(0.1, 0.6))
        process.kill()
        said = first + process.stdout.read()
    return {line.decode() for line in said.split(b"\n")[:-1]}


def list_of(spool: Path) -> list[Path]:
    return list(spool.glob("*.events"))
